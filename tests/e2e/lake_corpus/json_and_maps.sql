-- Keys that requests have.
-- lake
SELECT k, count(*) AS n FROM $EDS CROSS JOIN UNNEST(map_keys(requestParameters)) AS t (k) GROUP BY k ORDER BY n DESC, k LIMIT 40
-- duckdb
SELECT k, count(*) AS n FROM (SELECT unnest(json_keys(requestParameters)) AS k FROM trail WHERE json_type(requestParameters) = 'OBJECT')
GROUP BY k ORDER BY n DESC, k LIMIT 40

-- Keys and values of one call.
-- lake
SELECT k, v FROM $EDS CROSS JOIN UNNEST(requestParameters) AS t (k, v) WHERE eventName = 'CreateTrail' ORDER BY eventID, k
-- duckdb
SELECT k, requestParameters->>k FROM (SELECT eventID, requestParameters, unnest(json_keys(requestParameters)) AS k FROM trail
WHERE eventName = 'CreateTrail') ORDER BY eventID, k

-- How many parameters each call has.
-- lake
SELECT eventName, max(cardinality(requestParameters)) AS most FROM $EDS WHERE eventSource = 's3.amazonaws.com' GROUP BY eventName ORDER BY most DESC NULLS LAST, 1
-- duckdb
SELECT eventName, max(len(json_keys(requestParameters))) FILTER (WHERE json_type(requestParameters) = 'OBJECT') AS most FROM trail
WHERE eventSource = 's3.amazonaws.com' GROUP BY eventName ORDER BY most DESC NULLS LAST, 1

-- Calls whose parameters mention a key in any place.
-- lake
SELECT eventName, count(*) FROM $EDS WHERE any_match(map_values(requestParameters), v -> v LIKE '%arn:aws:kms:%') GROUP BY eventName ORDER BY 1
-- duckdb
SELECT eventName, count(*) FROM trail
WHERE json_type(requestParameters) = 'OBJECT'
  AND len(list_filter(json_keys(requestParameters), lambda k: (requestParameters->>k) LIKE '%arn:aws:kms:%')) > 0
GROUP BY eventName ORDER BY 1

-- Parameters without those that only identify the request.
-- lake
SELECT array_join(array_sort(map_keys(map_filter(requestParameters, (k, v) -> k <> 'x-id' AND k NOT LIKE '%Host%'))), ',') AS names, count(*) AS n
FROM $EDS WHERE eventName = 'GetObject' GROUP BY 1 ORDER BY n DESC, names
-- duckdb
SELECT array_to_string(list_sort(list_filter(json_keys(requestParameters), lambda k: k <> 'x-id' AND k NOT LIKE '%Host%')), ',') AS names, count(*) AS n
FROM trail WHERE eventName = 'GetObject' GROUP BY 1 ORDER BY n DESC, names

-- A map made of columns, and back.
-- lake
SELECT element_at(map(ARRAY['name', 'region'], ARRAY[eventName, awsRegion]), 'region') AS region, count(*) FROM $EDS
WHERE eventSource = 'kms.amazonaws.com' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT awsRegion, count(*) FROM trail WHERE eventSource = 'kms.amazonaws.com' GROUP BY 1 ORDER BY 1

-- Regions and their number of events as a map.
-- lake
SELECT element_at(h, 'us-east-1'), cardinality(h) FROM (SELECT histogram(awsRegion) AS h FROM $EDS)
-- duckdb
SELECT count(*) FILTER (WHERE awsRegion = 'us-east-1'), count(DISTINCT awsRegion) FROM trail

-- Each service's calls as a map of lists.
-- lake
SELECT array_join(array_sort(array_distinct(m['iam.amazonaws.com'])), ' ') FROM (SELECT multimap_agg(eventSource, eventName) AS m FROM $EDS)
-- duckdb
SELECT string_agg(eventName, ' ' ORDER BY eventName) FROM (SELECT DISTINCT eventName FROM trail WHERE eventSource = 'iam.amazonaws.com')

-- An aggregate map of names and counts.
-- lake
SELECT transform_values(map_agg(eventName, n), (k, v) -> v * 10)['ListUsers'] FROM (
  SELECT eventName, count(*) AS n FROM $EDS WHERE eventSource = 'iam.amazonaws.com' GROUP BY eventName)
-- duckdb
SELECT 10 * count(*) FROM trail WHERE eventName = 'ListUsers'

-- Items of a list that stands in JSON.
-- lake
SELECT json_extract_scalar(item, '$.instanceId') AS instance, count(*) AS n FROM $EDS
CROSS JOIN UNNEST(CAST(json_extract(element_at(requestParameters, 'instancesSet'), '$.items') AS array(json))) AS t (item)
GROUP BY 1 ORDER BY n DESC, 1
-- duckdb
SELECT item->>'instanceId' AS instance, count(*) AS n FROM (
  SELECT unnest(from_json(requestParameters->'instancesSet'->'items', '["JSON"]')) AS item FROM trail)
WHERE item IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1

-- Filters' names as rows with fields.
-- lake
SELECT name, count(*) AS n FROM $EDS
CROSS JOIN UNNEST(CAST(json_extract(element_at(requestParameters, 'filterSet'), '$.items') AS array(row(name varchar, valueSet json)))) AS t (name, value_set)
GROUP BY name ORDER BY n DESC, 1
-- duckdb
SELECT item->>'name' AS name, count(*) AS n FROM (
  SELECT unnest(from_json(requestParameters->'filterSet'->'items', '["JSON"]')) AS item FROM trail)
GROUP BY 1 ORDER BY n DESC, 1

-- JSON of scalar columns.
-- lake
SELECT DISTINCT json_format(CAST(eventSource AS json)), json_format(CAST(readOnly AS json)) FROM $EDS WHERE eventSource LIKE 'k%'
-- duckdb
SELECT DISTINCT to_json(eventSource)::VARCHAR, to_json(readOnly)::VARCHAR FROM trail WHERE eventSource LIKE 'k%'

-- JSON text cast to a map.
-- lake
SELECT element_at(CAST(json_parse(eventJson) AS map(varchar, json)), 'eventName') AS name, count(*) FROM $EDS
WHERE eventSource = 'signin.amazonaws.com' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT record->'eventName' AS name, count(*) FROM trail WHERE eventSource = 'signin.amazonaws.com' GROUP BY 1 ORDER BY 1

-- Numbers and truth values in JSON.
-- lake
SELECT CAST(json_extract(eventJson, '$.readOnly') AS boolean) AS reads, sum(CAST(json_extract(eventJson, '$.additionalEventData.bytesTransferredOut') AS bigint)) AS bytes
FROM $EDS WHERE eventCategory = 'Data' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT (record->>'readOnly')::BOOLEAN AS reads, sum((additionalEventData->>'bytesTransferredOut')::DOUBLE::BIGINT) AS bytes
FROM trail WHERE eventCategory = 'Data' GROUP BY 1 ORDER BY 1

-- Sizes of objects and lists in JSON.
-- lake
SELECT json_size(eventJson, '$.userIdentity') AS members, count(*) FROM $EDS GROUP BY 1 ORDER BY 1
-- duckdb
SELECT len(json_keys(record->'userIdentity')) AS members, count(*) FROM trail GROUP BY 1 ORDER BY 1

-- Owners that a call asks for.
-- lake
SELECT json_array_contains(json_extract(element_at(requestParameters, 'ownersSet'), '$.items'), 'amazon'), count(*) FROM $EDS
WHERE eventName = 'DescribeImages' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT CASE WHEN (requestParameters->'ownersSet'->'items') IS NULL THEN NULL ELSE false END, count(*) FROM trail
WHERE eventName = 'DescribeImages' GROUP BY 1 ORDER BY 1
