-- Buckets by how often they are written and read.
-- lake
SELECT element_at(requestParameters, 'bucketName') AS bucket, count_if(eventName = 'PutObject') AS puts,
       count_if(eventName = 'GetObject') AS gets
FROM $EDS WHERE eventSource = 's3.amazonaws.com' GROUP BY element_at(requestParameters, 'bucketName') ORDER BY bucket
-- duckdb
SELECT requestParameters->>'bucketName' AS bucket, count(*) FILTER (WHERE eventName = 'PutObject') AS puts,
       count(*) FILTER (WHERE eventName = 'GetObject') AS gets
FROM trail WHERE eventSource = 's3.amazonaws.com' GROUP BY 1 ORDER BY bucket

-- Objects that people downloaded, by the folder they lie in.
-- lake
SELECT element_at(split(element_at(requestParameters, 'key'), '/'), 1) AS folder, count(*) AS n FROM $EDS
WHERE eventName = 'GetObject' AND userIdentity.type <> 'AWSService' GROUP BY 1 ORDER BY n DESC, folder LIMIT 20
-- duckdb
SELECT split_part(requestParameters->>'key', '/', 1) AS folder, count(*) AS n FROM trail
WHERE eventName = 'GetObject' AND (userIdentity->>'type') <> 'AWSService' GROUP BY 1 ORDER BY n DESC, folder LIMIT 20

-- Endings of the objects' names.
-- lake
SELECT lower(regexp_extract(element_at(requestParameters, 'key'), '\.([A-Za-z0-9]+)$', 1)) AS ending, count(*) AS n FROM $EDS
WHERE eventName IN ('GetObject', 'PutObject') GROUP BY 1 ORDER BY n DESC, 1
-- duckdb
SELECT lower(nullif(regexp_extract(requestParameters->>'key', '\.([A-Za-z0-9]+)$', 1), '')) AS ending, count(*) AS n FROM trail
WHERE eventName IN ('GetObject', 'PutObject') GROUP BY 1 ORDER BY n DESC, 1 NULLS LAST

-- Bytes in and out of each bucket.
-- lake
SELECT element_at(requestParameters, 'bucketName') AS bucket,
       sum(try_cast(element_at(additionalEventData, 'bytesTransferredIn') AS double)) AS received,
       sum(try_cast(element_at(additionalEventData, 'bytesTransferredOut') AS double)) AS sent
FROM $EDS WHERE eventCategory = 'Data' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT requestParameters->>'bucketName' AS bucket,
       sum(try_cast(additionalEventData->>'bytesTransferredIn' AS DOUBLE)) AS received,
       sum(try_cast(additionalEventData->>'bytesTransferredOut' AS DOUBLE)) AS sent
FROM trail WHERE eventCategory = 'Data' GROUP BY 1 ORDER BY 1

-- The largest downloads.
-- lake
SELECT element_at(requestParameters, 'key') AS object,
       CAST(CAST(additionalEventData['bytesTransferredOut'] AS double) AS bigint) AS bytes
FROM $EDS WHERE eventName = 'GetObject' AND errorCode IS NULL ORDER BY bytes DESC, object, eventID LIMIT 10
-- duckdb
SELECT requestParameters->>'key' AS object,
       (additionalEventData->>'bytesTransferredOut')::DOUBLE::BIGINT AS bytes
FROM trail WHERE eventName = 'GetObject' AND errorCode IS NULL ORDER BY bytes DESC, object, eventID LIMIT 10

-- How objects are encrypted.
-- lake
SELECT element_at(additionalEventData, 'SSEApplied') AS sse, element_at(additionalEventData, 'CipherSuite') AS cipher, count(*)
FROM $EDS WHERE eventName = 'PutObject' GROUP BY 1, 2
-- duckdb
SELECT additionalEventData->>'SSEApplied' AS sse, additionalEventData->>'CipherSuite' AS cipher, count(*)
FROM trail WHERE eventName = 'PutObject' GROUP BY 1, 2

-- Downloads by a command line tool, a minute at a time.
-- lake
SELECT date_format(eventTime, '%Y-%m-%d %H:%i') AS minute, count(*) AS n FROM $EDS
WHERE eventName = 'GetObject' AND userAgent LIKE '%s3.sync%' GROUP BY date_format(eventTime, '%Y-%m-%d %H:%i') ORDER BY minute
-- duckdb
SELECT strftime(eventTime, '%Y-%m-%d %H:%M') AS minute, count(*) AS n FROM trail
WHERE eventName = 'GetObject' AND userAgent LIKE '%s3.sync%' GROUP BY 1 ORDER BY minute

-- Resources that an event names, one row each.
-- lake
SELECT kind, count(*) AS n FROM $EDS CROSS JOIN UNNEST(resources) AS t (account, kind, arn, prefix) GROUP BY kind ORDER BY n DESC
-- duckdb
SELECT r->>'type', count(*) AS n FROM (SELECT unnest(from_json(resources, '["JSON"]')) AS r FROM trail) GROUP BY 1 ORDER BY n DESC

-- Buckets out of resources' ARNs.
-- lake
SELECT DISTINCT regexp_extract(resources[1].arn, '^arn:aws:s3:::([^/]+)', 1) FROM $EDS
WHERE eventName = 'PutObject' AND cardinality(resources) > 0
-- duckdb
SELECT DISTINCT regexp_extract(resources->0->>'ARN', '^arn:aws:s3:::([^/]+)', 1) FROM trail
WHERE eventName = 'PutObject' AND json_array_length(resources) > 0

-- Calls about a bucket's policy, website, versions and locks.
-- lake
SELECT eventName, element_at(requestParameters, 'bucketName'), errorCode, eventTime FROM $EDS
WHERE eventName LIKE '%Bucket%' AND eventName NOT IN ('GetBucketAcl', 'HeadBucket') ORDER BY eventTime, 1, 2, eventID
-- duckdb
SELECT eventName, requestParameters->>'bucketName', errorCode, eventTime FROM trail
WHERE eventName LIKE '%Bucket%' AND eventName NOT IN ('GetBucketAcl', 'HeadBucket') ORDER BY eventTime, 1, 2, eventID

-- What a bucket's new policy allows.
-- lake
SELECT json_extract_scalar(element_at(requestParameters, 'bucketPolicy'), '$.Version'),
       json_array_length(json_extract(element_at(requestParameters, 'bucketPolicy'), '$.Statement')),
       json_extract_scalar(element_at(requestParameters, 'bucketPolicy'), '$.Statement[0].Effect')
FROM $EDS WHERE eventName = 'PutBucketPolicy'
-- duckdb
SELECT requestParameters->'bucketPolicy'->>'Version', json_array_length(requestParameters->'bucketPolicy'->'Statement'),
       requestParameters->'bucketPolicy'->'Statement'->0->>'Effect'
FROM trail WHERE eventName = 'PutBucketPolicy'

-- Objects that were written more than once.
-- lake
WITH writes AS (
  SELECT concat(element_at(requestParameters, 'bucketName'), '/', element_at(requestParameters, 'key')) AS object
  FROM $EDS WHERE eventName = 'PutObject'
)
SELECT count(*) FROM (SELECT object FROM writes GROUP BY object HAVING count(*) > 1)
-- duckdb
SELECT count(*) FROM (
  SELECT 1 FROM trail WHERE eventName = 'PutObject'
  GROUP BY (requestParameters->>'bucketName') || '/' || (requestParameters->>'key') HAVING count(*) > 1)

-- The median and the 95th percentile of requests' header sizes, roughly.
-- within 0.05
-- lake
SELECT approx_percentile(bytes, 0.5), approx_percentile(bytes, 0.95) FROM (
  SELECT CAST(element_at(additionalEventData, 'bytesTransferredIn') AS double) AS bytes FROM $EDS WHERE eventName = 'PutObject' AND errorCode IS NULL)
-- duckdb
SELECT quantile_cont(bytes, 0.5), quantile_cont(bytes, 0.95) FROM (
  SELECT (additionalEventData->>'bytesTransferredIn')::DOUBLE AS bytes FROM trail WHERE eventName = 'PutObject' AND errorCode IS NULL)
