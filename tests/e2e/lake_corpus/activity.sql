-- How many events there are.
-- lake
SELECT count(*) FROM $EDS
-- duckdb
SELECT count(*) FROM trail

-- The ten most frequent calls.
-- lake
SELECT eventSource, eventName, count(*) AS calls
FROM $EDS GROUP BY eventSource, eventName ORDER BY calls DESC, eventName LIMIT 10
-- duckdb
SELECT eventSource, eventName, count(*) AS calls
FROM trail GROUP BY ALL ORDER BY calls DESC, eventName LIMIT 10

-- Events of each region and category.
-- lake
SELECT awsRegion, eventCategory, count(*) FROM $EDS GROUP BY 1, 2 ORDER BY 1, 2
-- duckdb
SELECT awsRegion, eventCategory, count(*) FROM trail GROUP BY 1, 2 ORDER BY 1, 2

-- Names of services without their domain, by how many different calls they got.
-- lake
SELECT split_part(eventSource, '.', 1) AS service, count(DISTINCT eventName) AS names
FROM $EDS GROUP BY split_part(eventSource, '.', 1) ORDER BY names DESC, service
-- duckdb
SELECT split_part(eventSource, '.', 1) AS service, count(DISTINCT eventName) AS names
FROM trail GROUP BY 1 ORDER BY names DESC, service

-- Calls that change something, by service.
-- lake
SELECT eventSource, eventName, count(*) FROM $EDS
WHERE readOnly = false AND managementEvent = true GROUP BY eventSource, eventName
-- duckdb
SELECT eventSource, eventName, count(*) FROM trail
WHERE readOnly = false AND managementEvent = true GROUP BY ALL

-- First and last time that each service was called.
-- lake
SELECT eventSource, min(eventTime), max(eventTime) FROM $EDS GROUP BY eventSource ORDER BY eventSource
-- duckdb
SELECT eventSource, min(eventTime), max(eventTime) FROM trail GROUP BY eventSource ORDER BY eventSource

-- Calls made only once in all the time.
-- lake
SELECT eventName FROM $EDS GROUP BY eventName HAVING count(*) = 1 ORDER BY eventName
-- duckdb
SELECT eventName FROM trail GROUP BY eventName HAVING count(*) = 1 ORDER BY eventName

-- Share of the events that only read.
-- lake
SELECT round(100.0 * count_if(readOnly) / count(*), 2) FROM $EDS
-- duckdb
SELECT round(100.0 * count(*) FILTER (WHERE readOnly) / count(*), 2) FROM trail

-- Source addresses of people, not of services.
-- lake
SELECT sourceIPAddress, count(*) AS n FROM $EDS
WHERE regexp_like(sourceIPAddress, '^\d+\.\d+\.\d+\.\d+$') GROUP BY sourceIPAddress ORDER BY n DESC, 1
-- duckdb
SELECT sourceIPAddress, count(*) AS n FROM trail
WHERE regexp_matches(sourceIPAddress, '^\d+\.\d+\.\d+\.\d+$') GROUP BY sourceIPAddress ORDER BY n DESC, 1

-- Addresses in a network.
-- lake
SELECT count(*) FROM $EDS
WHERE contains('96.253.0.0/16', try_cast(sourceIPAddress AS ipaddress))
-- duckdb
SELECT count(*) FROM trail WHERE sourceIPAddress LIKE '96.253.%'

-- Event types and versions.
-- lake
SELECT DISTINCT eventType, eventVersion FROM $EDS
-- duckdb
SELECT DISTINCT eventType, record->>'eventVersion' FROM trail

-- An event by its id.
-- lake
SELECT eventName, awsRegion, eventTime FROM $EDS
WHERE eventID = (SELECT min(eventID) FROM $EDS WHERE eventName = 'ConsoleLogin')
-- duckdb
SELECT eventName, awsRegion, eventTime FROM trail
WHERE eventID = (SELECT min(eventID) FROM trail WHERE eventName = 'ConsoleLogin')

-- Column names in another case.
-- lake
SELECT EVENTNAME, Count(*) AS N FROM $EDS WHERE EventSource = 'iam.amazonaws.com' GROUP BY eventname ORDER BY n DESC, 1
-- duckdb
SELECT eventName, count(*) AS n FROM trail WHERE eventSource = 'iam.amazonaws.com' GROUP BY 1 ORDER BY n DESC, 1

-- A page of events with offset.
-- lake
SELECT eventID FROM $EDS WHERE eventSource = 'ec2.amazonaws.com' ORDER BY eventID OFFSET 20 LIMIT 15
-- duckdb
SELECT eventID FROM trail WHERE eventSource = 'ec2.amazonaws.com' ORDER BY eventID LIMIT 15 OFFSET 20

-- Totals of several columns at once.
-- lake
SELECT eventCategory, awsRegion, count(*) FROM $EDS
GROUP BY GROUPING SETS ((eventCategory), (awsRegion), ())
-- duckdb
SELECT eventCategory, awsRegion, count(*) FROM trail
GROUP BY GROUPING SETS ((eventCategory), (awsRegion), ())
