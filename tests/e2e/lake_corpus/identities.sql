-- Events of each type of identity.
-- lake
SELECT userIdentity.type, count(*) AS n FROM $EDS GROUP BY userIdentity.type ORDER BY n DESC
-- duckdb
SELECT userIdentity->>'type', count(*) AS n FROM trail GROUP BY 1 ORDER BY n DESC

-- What the root user did.
-- lake
SELECT eventSource, eventName, count(*) AS n FROM $EDS
WHERE userIdentity.type = 'Root' GROUP BY eventSource, eventName ORDER BY n DESC, eventSource, eventName
-- duckdb
SELECT eventSource, eventName, count(*) AS n FROM trail
WHERE (userIdentity->>'type') = 'Root' GROUP BY ALL ORDER BY n DESC, eventSource, eventName

-- Root's calls that changed something.
-- lake
SELECT eventTime, eventName FROM $EDS
WHERE userIdentity.arn LIKE '%:root' AND NOT readOnly ORDER BY eventTime, eventName
-- duckdb
SELECT eventTime, eventName FROM trail
WHERE (userIdentity->>'arn') LIKE '%:root' AND NOT readOnly ORDER BY eventTime, eventName

-- Users by name, with how many calls and from how many addresses.
-- lake
SELECT userIdentity.userName AS who, count(*) AS calls, count(DISTINCT sourceIPAddress) AS addresses
FROM $EDS WHERE userIdentity.userName IS NOT NULL GROUP BY userIdentity.userName ORDER BY calls DESC
-- duckdb
SELECT userIdentity->>'userName' AS who, count(*) AS calls, count(DISTINCT sourceIPAddress) AS addresses
FROM trail WHERE (userIdentity->>'userName') IS NOT NULL GROUP BY 1 ORDER BY calls DESC

-- Calls with and without MFA.
-- lake
SELECT userIdentity.sessionContext.attributes.mfaAuthenticated AS mfa, count(*)
FROM $EDS GROUP BY 1 ORDER BY 1
-- duckdb
SELECT userIdentity->'sessionContext'->'attributes'->>'mfaAuthenticated' AS mfa, count(*)
FROM trail GROUP BY 1 ORDER BY 1

-- Which services call on behalf of others.
-- lake
SELECT userIdentity.invokedBy, count(*) AS n FROM $EDS
WHERE userIdentity.type = 'AWSService' GROUP BY userIdentity.invokedBy ORDER BY n DESC
-- duckdb
SELECT userIdentity->>'invokedBy', count(*) AS n FROM trail
WHERE (userIdentity->>'type') = 'AWSService' GROUP BY 1 ORDER BY n DESC

-- Access keys and the users that they belong to.
-- lake
SELECT userIdentity.accessKeyId, any_value(userIdentity.userName), count(*) FROM $EDS
WHERE userIdentity.accessKeyId LIKE 'AKIA%' GROUP BY userIdentity.accessKeyId ORDER BY 1
-- duckdb
SELECT userIdentity->>'accessKeyId', any_value(userIdentity->>'userName'), count(*) FROM trail
WHERE (userIdentity->>'accessKeyId') LIKE 'AKIA%' GROUP BY 1 ORDER BY 1

-- Temporary keys with many calls.
-- lake
SELECT userIdentity.accessKeyId AS accesskey, count(*) AS n FROM $EDS
WHERE starts_with(userIdentity.accessKeyId, 'ASIA') GROUP BY userIdentity.accessKeyId HAVING count(*) > 20 ORDER BY n DESC, 1
-- duckdb
SELECT userIdentity->>'accessKeyId' AS accesskey, count(*) AS n FROM trail
WHERE starts_with(userIdentity->>'accessKeyId', 'ASIA') GROUP BY 1 HAVING count(*) > 20 ORDER BY n DESC, 1

-- Kinds of principals out of their ARNs.
-- lake
SELECT regexp_extract(userIdentity.arn, '^arn:aws:(\w+)::\d+:(\w[\w-]*)', 2) AS kind, count(*) FROM $EDS
WHERE userIdentity.arn IS NOT NULL GROUP BY 1 ORDER BY 1
-- duckdb
SELECT regexp_extract(userIdentity->>'arn', '^arn:aws:(\w+)::\d+:(\w[\w-]*)', 2) AS kind, count(*) FROM trail
WHERE (userIdentity->>'arn') IS NOT NULL GROUP BY 1 ORDER BY 1

-- Sessions: when they were made and how long they were used.
-- lake
SELECT userIdentity.accessKeyId, min(userIdentity.sessionContext.attributes.creationDate) AS made,
       date_diff('second', min(eventTime), max(eventTime)) AS seconds
FROM $EDS WHERE userIdentity.sessionContext.attributes.creationDate IS NOT NULL
GROUP BY userIdentity.accessKeyId ORDER BY 1
-- duckdb
SELECT userIdentity->>'accessKeyId',
       min((userIdentity->'sessionContext'->'attributes'->>'creationDate')::TIMESTAMPTZ AT TIME ZONE 'UTC') AS made,
       date_sub('second', min(eventTime), max(eventTime)) AS seconds
FROM trail WHERE (userIdentity->'sessionContext'->'attributes'->>'creationDate') IS NOT NULL
GROUP BY 1 ORDER BY 1

-- Who uses more than one user agent.
-- lake
SELECT coalesce(userIdentity.userName, userIdentity.invokedBy, userIdentity.type) AS who, count(DISTINCT userAgent) AS agents
FROM $EDS GROUP BY coalesce(userIdentity.userName, userIdentity.invokedBy, userIdentity.type)
HAVING count(DISTINCT userAgent) > 1 ORDER BY agents DESC, who
-- duckdb
SELECT coalesce(userIdentity->>'userName', userIdentity->>'invokedBy', userIdentity->>'type') AS who, count(DISTINCT userAgent) AS agents
FROM trail GROUP BY 1 HAVING count(DISTINCT userAgent) > 1 ORDER BY agents DESC, who

-- Roles that were assumed, and by which service.
-- lake
SELECT element_at(requestParameters, 'roleArn') AS role, sourceIPAddress, count(*) FROM $EDS
WHERE eventName = 'AssumeRole' GROUP BY 1, 2 ORDER BY 1, 2
-- duckdb
SELECT requestParameters->>'roleArn' AS role, sourceIPAddress, count(*) FROM trail
WHERE eventName = 'AssumeRole' GROUP BY 1, 2 ORDER BY 1, 2

-- Console sign-ins and their answers.
-- lake
SELECT eventTime, userIdentity.arn, element_at(responseElements, 'ConsoleLogin') AS answer,
       element_at(additionalEventData, 'MFAUsed') AS mfa
FROM $EDS WHERE eventName = 'ConsoleLogin' ORDER BY eventTime
-- duckdb
SELECT eventTime, userIdentity->>'arn', responseElements->>'ConsoleLogin' AS answer, additionalEventData->>'MFAUsed' AS mfa
FROM trail WHERE eventName = 'ConsoleLogin' ORDER BY eventTime

-- What a user who came by a foreign address did, in order.
-- lake
SELECT eventTime, eventName, errorCode FROM $EDS
WHERE userIdentity.userName = 'jmerckle' ORDER BY eventTime, eventName, errorCode
-- duckdb
SELECT eventTime, eventName, errorCode FROM trail
WHERE (userIdentity->>'userName') = 'jmerckle' ORDER BY eventTime, eventName, errorCode
