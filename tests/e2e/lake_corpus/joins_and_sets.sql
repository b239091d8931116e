-- Errors beside successes of the same call.
-- lake
SELECT f.eventName, f.n AS failed, coalesce(g.n, 0) AS fine
FROM (SELECT eventName, count(*) AS n FROM $EDS WHERE errorCode IS NOT NULL GROUP BY eventName) f
LEFT JOIN (SELECT eventName, count(*) AS n FROM $EDS WHERE errorCode IS NULL GROUP BY eventName) g ON f.eventName = g.eventName
ORDER BY f.eventName
-- duckdb
SELECT f.eventName, f.n AS failed, coalesce(g.n, 0) AS fine
FROM (SELECT eventName, count(*) AS n FROM trail WHERE errorCode IS NOT NULL GROUP BY eventName) f
LEFT JOIN (SELECT eventName, count(*) AS n FROM trail WHERE errorCode IS NULL GROUP BY eventName) g ON f.eventName = g.eventName
ORDER BY f.eventName

-- Calls shortly after a sign-in from the same address.
-- lake
SELECT l.eventTime AS login, e.eventName, count(*) AS n FROM $EDS l
JOIN $EDS e ON e.sourceIPAddress = l.sourceIPAddress AND e.eventTime > l.eventTime AND e.eventTime < date_add('minute', 5, l.eventTime)
WHERE l.eventName = 'ConsoleLogin' GROUP BY l.eventTime, e.eventName ORDER BY login, n DESC, 2
-- duckdb
SELECT l.eventTime AS login, e.eventName, count(*) AS n FROM trail l
JOIN trail e ON e.sourceIPAddress = l.sourceIPAddress AND e.eventTime > l.eventTime AND e.eventTime < l.eventTime + INTERVAL 5 MINUTE
WHERE l.eventName = 'ConsoleLogin' GROUP BY l.eventTime, e.eventName ORDER BY login, n DESC, 2

-- Names used in one region only.
-- lake
SELECT eventName FROM $EDS WHERE awsRegion = 'us-east-1' EXCEPT SELECT eventName FROM $EDS WHERE awsRegion <> 'us-east-1' ORDER BY 1
-- duckdb
SELECT eventName FROM trail WHERE awsRegion = 'us-east-1' EXCEPT SELECT eventName FROM trail WHERE awsRegion <> 'us-east-1' ORDER BY 1

-- Two questions in one answer.
-- lake
SELECT 'root' AS what, count(*) AS n FROM $EDS WHERE userIdentity.type = 'Root'
UNION ALL SELECT 'denied', count(*) FROM $EDS WHERE errorCode = 'AccessDenied' ORDER BY what
-- duckdb
SELECT 'root' AS what, count(*) AS n FROM trail WHERE (userIdentity->>'type') = 'Root'
UNION ALL SELECT 'denied', count(*) FROM trail WHERE errorCode = 'AccessDenied' ORDER BY what

-- Names that either user called.
-- lake
SELECT eventName FROM $EDS WHERE userIdentity.userName = 'jmerckle' UNION SELECT eventName FROM $EDS WHERE eventSource = 'signin.amazonaws.com'
-- duckdb
SELECT eventName FROM trail WHERE (userIdentity->>'userName') = 'jmerckle' UNION SELECT eventName FROM trail WHERE eventSource = 'signin.amazonaws.com'

-- Services that were called without error only.
-- lake
SELECT DISTINCT eventSource FROM $EDS a WHERE NOT EXISTS (SELECT 1 FROM $EDS b WHERE b.eventSource = a.eventSource AND b.errorCode IS NOT NULL) ORDER BY 1
-- duckdb
SELECT DISTINCT eventSource FROM trail a WHERE NOT EXISTS (SELECT 1 FROM trail b WHERE b.eventSource = a.eventSource AND b.errorCode IS NOT NULL) ORDER BY 1

-- Events of services with few events.
-- lake
SELECT eventSource, eventName FROM $EDS WHERE eventSource IN (SELECT eventSource FROM $EDS GROUP BY eventSource HAVING count(*) < 5) ORDER BY 1, 2
-- duckdb
SELECT eventSource, eventName FROM trail WHERE eventSource IN (SELECT eventSource FROM trail GROUP BY eventSource HAVING count(*) < 5) ORDER BY 1, 2

-- A table of values joined to events.
-- lake
SELECT v.label, count(e.eventID) FROM (VALUES ('AccessDenied', 'denied'), ('NoSuchBucketPolicy', 'missing'), ('Nothing', 'none')) AS v (code, label)
LEFT JOIN $EDS e ON e.errorCode = v.code GROUP BY v.label ORDER BY 1
-- duckdb
SELECT v.label, count(e.eventID) FROM (VALUES ('AccessDenied', 'denied'), ('NoSuchBucketPolicy', 'missing'), ('Nothing', 'none')) AS v (code, label)
LEFT JOIN trail e ON e.errorCode = v.code GROUP BY v.label ORDER BY 1

-- Data keys that were made and decrypted in the same second.
-- lake
SELECT count(DISTINCT g.eventID) FROM $EDS g JOIN $EDS d ON g.eventTime = d.eventTime
WHERE g.eventName = 'GenerateDataKey' AND d.eventName = 'Decrypt'
-- duckdb
SELECT count(DISTINCT g.eventID) FROM trail g JOIN trail d ON g.eventTime = d.eventTime
WHERE g.eventName = 'GenerateDataKey' AND d.eventName = 'Decrypt'

-- Scalar queries beside columns.
-- lake
SELECT eventName, count(*) AS n, (SELECT count(*) FROM $EDS WHERE eventSource = 'iam.amazonaws.com') AS total FROM $EDS
WHERE eventSource = 'iam.amazonaws.com' GROUP BY eventName ORDER BY n DESC, 1
-- duckdb
SELECT eventName, count(*) AS n, (SELECT count(*) FROM trail WHERE eventSource = 'iam.amazonaws.com') AS total FROM trail
WHERE eventSource = 'iam.amazonaws.com' GROUP BY eventName ORDER BY n DESC, 1
