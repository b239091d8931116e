-- Users, roles, keys and policies that were made or given.
-- lake
SELECT eventTime, eventName, coalesce(element_at(requestParameters, 'userName'), element_at(requestParameters, 'roleName'),
       element_at(requestParameters, 'policyName')) AS subject
FROM $EDS WHERE eventSource = 'iam.amazonaws.com' AND regexp_like(eventName, '^(Create|Put|Attach|Add|Update|Delete)')
ORDER BY eventTime, eventName
-- duckdb
SELECT eventTime, eventName, coalesce(requestParameters->>'userName', requestParameters->>'roleName',
       requestParameters->>'policyName') AS subject
FROM trail WHERE eventSource = 'iam.amazonaws.com' AND regexp_matches(eventName, '^(Create|Put|Attach|Add|Update|Delete)')
ORDER BY eventTime, eventName

-- New access keys and whose they are.
-- lake
SELECT json_extract_scalar(element_at(responseElements, 'accessKey'), '$.accessKeyId') AS accesskey,
       json_extract_scalar(element_at(responseElements, 'accessKey'), '$.userName') AS owner
FROM $EDS WHERE eventName = 'CreateAccessKey'
-- duckdb
SELECT responseElements->'accessKey'->>'accessKeyId', responseElements->'accessKey'->>'userName'
FROM trail WHERE eventName = 'CreateAccessKey'

-- Actions that a user's new policy allows.
-- lake
SELECT action FROM (
  SELECT cast(json_extract(element_at(requestParameters, 'policyDocument'), '$.Statement') AS array(json)) AS statements
  FROM $EDS WHERE eventName = 'PutUserPolicy'
) CROSS JOIN UNNEST(statements) AS s (statement)
CROSS JOIN UNNEST(CASE WHEN is_json_scalar(json_extract(statement, '$.Action'))
                       THEN ARRAY[json_extract_scalar(statement, '$.Action')]
                       ELSE cast(json_extract(statement, '$.Action') AS array(varchar)) END) AS a (action)
ORDER BY action
-- duckdb
SELECT unnest(CASE WHEN json_type(s->'Action') = 'ARRAY' THEN from_json(s->'Action', '["VARCHAR"]') ELSE [s->>'Action'] END) AS action
FROM (SELECT unnest(from_json((requestParameters->>'policyDocument')::JSON->'Statement', '["JSON"]')) AS s
      FROM trail WHERE eventName = 'PutUserPolicy')
ORDER BY action

-- Who may assume a new role.
-- lake
SELECT element_at(requestParameters, 'roleName'),
       json_extract_scalar(element_at(requestParameters, 'assumeRolePolicyDocument'), '$.Statement[0].Principal.Service')
FROM $EDS WHERE eventName = 'CreateRole' ORDER BY 1
-- duckdb
SELECT requestParameters->>'roleName',
       (requestParameters->>'assumeRolePolicyDocument')::JSON->'Statement'->0->'Principal'->>'Service'
FROM trail WHERE eventName = 'CreateRole' ORDER BY 1

-- Changes to trails and what they record.
-- lake
SELECT eventTime, eventName, coalesce(element_at(requestParameters, 'name'), element_at(requestParameters, 'trailName')) AS trail
FROM $EDS WHERE eventSource = 'cloudtrail.amazonaws.com' AND readOnly = false ORDER BY eventTime, eventName
-- duckdb
SELECT eventTime, eventName, coalesce(requestParameters->>'name', requestParameters->>'trailName') AS trail
FROM trail WHERE eventSource = 'cloudtrail.amazonaws.com' AND readOnly = false ORDER BY eventTime, eventName

-- Event selectors of trails, as they were put.
-- lake
SELECT json_extract_scalar(json_array_get(selectors, 0), '$.readWriteType'), json_extract(json_array_get(selectors, 0), '$.dataResources'), json_array_length(selectors)
FROM (SELECT json_parse(element_at(requestParameters, 'eventSelectors')) AS selectors, eventTime FROM $EDS WHERE eventName = 'PutEventSelectors') ORDER BY eventTime
-- duckdb
SELECT selectors->0->>'readWriteType', selectors->0->'dataResources', json_array_length(selectors)
FROM (SELECT requestParameters->'eventSelectors' AS selectors, eventTime FROM trail WHERE eventName = 'PutEventSelectors') ORDER BY eventTime

-- Keys of KMS and what they are used for.
-- lake
SELECT eventName, json_extract_scalar(element_at(requestParameters, 'encryptionContext'), '$["aws:cloudtrail:arn"]') AS trail, count(*) AS n
FROM $EDS WHERE eventSource = 'kms.amazonaws.com' AND eventName IN ('GenerateDataKey', 'Decrypt') GROUP BY 1, 2 ORDER BY n DESC, 1
-- duckdb
SELECT eventName, requestParameters->'encryptionContext'->>'aws:cloudtrail:arn' AS trail, count(*) AS n
FROM trail WHERE eventSource = 'kms.amazonaws.com' AND eventName IN ('GenerateDataKey', 'Decrypt') GROUP BY 1, 2 ORDER BY n DESC, 1

-- New keys and their aliases.
-- lake
SELECT eventName, element_at(requestParameters, 'aliasName'), json_extract_scalar(element_at(responseElements, 'keyMetadata'), '$.keyState')
FROM $EDS WHERE eventName IN ('CreateKey', 'CreateAlias') ORDER BY eventTime, eventName
-- duckdb
SELECT eventName, requestParameters->>'aliasName', responseElements->'keyMetadata'->>'keyState'
FROM trail WHERE eventName IN ('CreateKey', 'CreateAlias') ORDER BY eventTime, eventName

-- Calls of EC2 that only look around, as reconnaissance does: many names in few minutes.
-- lake
SELECT date_trunc('hour', eventTime) AS hour, userIdentity.arn, count(DISTINCT eventName) AS names FROM $EDS
WHERE eventSource = 'ec2.amazonaws.com' AND eventName LIKE 'Describe%'
GROUP BY date_trunc('hour', eventTime), userIdentity.arn HAVING count(DISTINCT eventName) >= 10 ORDER BY hour, 2
-- duckdb
SELECT date_trunc('hour', eventTime) AS hour, userIdentity->>'arn', count(DISTINCT eventName) AS names FROM trail
WHERE eventSource = 'ec2.amazonaws.com' AND eventName LIKE 'Describe%'
GROUP BY 1, 2 HAVING count(DISTINCT eventName) >= 10 ORDER BY hour, 2

-- Which filters DescribeInstances was called with.
-- lake
SELECT DISTINCT json_extract_scalar(element_at(requestParameters, 'filterSet'), '$.items[0].name') FROM $EDS WHERE eventName = 'DescribeInstances'
-- duckdb
SELECT DISTINCT requestParameters->'filterSet'->'items'->0->>'name' FROM trail WHERE eventName = 'DescribeInstances'

-- Flow logs that were wanted, and why they failed.
-- lake
SELECT errorCode, errorMessage, json_extract(element_at(requestParameters, 'CreateFlowLogsRequest'), '$.ResourceId.content') FROM $EDS
WHERE eventName = 'CreateFlowLogs' ORDER BY eventID
-- duckdb
SELECT errorCode, errorMessage, requestParameters->'CreateFlowLogsRequest'->'ResourceId'->'content' FROM trail
WHERE eventName = 'CreateFlowLogs' ORDER BY eventID

-- Events without a request's parameters, by source.
-- lake
SELECT eventSource, count(*) FROM $EDS WHERE requestParameters IS NULL GROUP BY eventSource ORDER BY 1
-- duckdb
SELECT eventSource, count(*) FROM trail WHERE requestParameters IS NULL OR json_type(requestParameters) = 'NULL' GROUP BY eventSource ORDER BY 1

-- Whole records of a call, read as JSON.
-- lake
SELECT json_extract_scalar(eventJson, '$.userIdentity.arn'), json_extract_scalar(eventJson, '$.requestParameters.userName')
FROM $EDS WHERE eventName = 'ListUserPolicies' ORDER BY eventID
-- duckdb
SELECT record->'userIdentity'->>'arn', record->'requestParameters'->>'userName' FROM trail
WHERE eventName = 'ListUserPolicies' ORDER BY eventID
