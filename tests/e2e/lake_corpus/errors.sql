-- Error codes by how often.
-- lake
SELECT errorCode, count(*) AS n FROM $EDS WHERE errorCode IS NOT NULL GROUP BY errorCode ORDER BY n DESC, errorCode
-- duckdb
SELECT errorCode, count(*) AS n FROM trail WHERE errorCode IS NOT NULL GROUP BY errorCode ORDER BY n DESC, errorCode

-- Who is denied what.
-- lake
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy) AS who, eventName, count(*) AS n FROM $EDS
WHERE errorCode IN ('AccessDenied', 'UnauthorizedOperation', 'Client.UnauthorizedOperation')
GROUP BY 1, 2 ORDER BY n DESC, who, eventName
-- duckdb
SELECT coalesce(userIdentity->>'arn', userIdentity->>'invokedBy') AS who, eventName, count(*) AS n FROM trail
WHERE errorCode IN ('AccessDenied', 'UnauthorizedOperation', 'Client.UnauthorizedOperation')
GROUP BY 1, 2 ORDER BY n DESC, who, eventName

-- The rate of errors of each service.
-- lake
SELECT eventSource, count(*) AS n, round(CAST(count(errorCode) AS double) / count(*), 4) AS rate
FROM $EDS GROUP BY eventSource HAVING count(errorCode) > 0 ORDER BY rate DESC, eventSource
-- duckdb
SELECT eventSource, count(*) AS n, round(count(errorCode)::DOUBLE / count(*), 4) AS rate
FROM trail GROUP BY eventSource HAVING count(errorCode) > 0 ORDER BY rate DESC, eventSource

-- Messages of errors that are no denials.
-- lake
SELECT DISTINCT errorCode, errorMessage FROM $EDS WHERE errorCode NOT LIKE 'Access%'
-- duckdb
SELECT DISTINCT errorCode, errorMessage FROM trail WHERE errorCode NOT LIKE 'Access%'

-- Errors of missing configurations, whatever their name.
-- lake
SELECT errorCode, eventName, count(*) FROM $EDS
WHERE regexp_like(errorCode, '(?i)^nosuch|notfound') GROUP BY errorCode, eventName ORDER BY 1, 2
-- duckdb
SELECT errorCode, eventName, count(*) FROM trail
WHERE regexp_matches(errorCode, '(?i)^nosuch|notfound') GROUP BY errorCode, eventName ORDER BY 1, 2

-- Denied calls an hour, where there are many.
-- lake
SELECT date_trunc('hour', eventTime) AS hour, count(*) AS denied FROM $EDS
WHERE errorCode = 'AccessDenied' GROUP BY date_trunc('hour', eventTime) HAVING count(*) > 50 ORDER BY hour
-- duckdb
SELECT date_trunc('hour', eventTime) AS hour, count(*) AS denied FROM trail
WHERE errorCode = 'AccessDenied' GROUP BY 1 HAVING count(*) > 50 ORDER BY hour

-- Errors without the vendor's prefix.
-- lake
SELECT regexp_replace(errorCode, '^Client\.', '') AS code, count(*) FROM $EDS
WHERE eventSource = 'ec2.amazonaws.com' AND errorCode IS NOT NULL GROUP BY 1
-- duckdb
SELECT regexp_replace(errorCode, '^Client\.', '') AS code, count(*) FROM trail
WHERE eventSource = 'ec2.amazonaws.com' AND errorCode IS NOT NULL GROUP BY 1

-- Calls that failed for one identity and went well for another.
-- lake
SELECT eventName FROM $EDS WHERE errorCode IS NOT NULL
INTERSECT SELECT eventName FROM $EDS WHERE errorCode IS NULL ORDER BY eventName
-- duckdb
SELECT eventName FROM trail WHERE errorCode IS NOT NULL
INTERSECT SELECT eventName FROM trail WHERE errorCode IS NULL ORDER BY eventName

-- Success and failure side by side.
-- lake
SELECT eventName, sum(if(errorCode IS NULL, 1, 0)) AS fine, sum(CASE WHEN errorCode IS NULL THEN 0 ELSE 1 END) AS failed
FROM $EDS WHERE eventSource = 's3.amazonaws.com' GROUP BY eventName ORDER BY eventName
-- duckdb
SELECT eventName, sum(if(errorCode IS NULL, 1, 0)) AS fine, sum(CASE WHEN errorCode IS NULL THEN 0 ELSE 1 END) AS failed
FROM trail WHERE eventSource = 's3.amazonaws.com' GROUP BY eventName ORDER BY eventName

-- The latest error of each code.
-- lake
SELECT errorCode, max_by(eventName, (eventTime, eventID)), max(eventTime) FROM $EDS
WHERE errorCode IS NOT NULL AND errorCode <> 'AccessDenied' GROUP BY errorCode ORDER BY errorCode
-- duckdb
SELECT errorCode, max_by(eventName, (eventTime, eventID)), max(eventTime) FROM trail
WHERE errorCode IS NOT NULL AND errorCode <> 'AccessDenied' GROUP BY errorCode ORDER BY errorCode
