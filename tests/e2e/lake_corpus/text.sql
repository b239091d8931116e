-- Tools by the first word of the user agent.
-- lake
SELECT regexp_extract(userAgent, '^\[?([A-Za-z0-9._-]+)', 1) AS tool, count(*) AS n FROM $EDS GROUP BY 1 ORDER BY n DESC, 1
-- duckdb
SELECT nullif(regexp_extract(userAgent, '^\[?([A-Za-z0-9._-]+)', 1), '') AS tool, count(*) AS n FROM trail GROUP BY 1 ORDER BY n DESC, 1

-- Versions of the command line.
-- lake
SELECT DISTINCT regexp_extract(userAgent, 'aws-cli/(\d+\.\d+\.\d+)', 1) AS version FROM $EDS WHERE userAgent LIKE '%aws-cli%' ORDER BY 1
-- duckdb
SELECT DISTINCT regexp_extract(userAgent, 'aws-cli/(\d+\.\d+\.\d+)', 1) AS version FROM trail WHERE userAgent LIKE '%aws-cli%' ORDER BY 1

-- Commands that were typed.
-- lake
SELECT regexp_extract(userAgent, 'command/([a-z0-9.-]+)', 1) AS command, count(*) AS n FROM $EDS
WHERE strpos(userAgent, 'command/') > 0 GROUP BY 1 ORDER BY n DESC, 1
-- duckdb
SELECT regexp_extract(userAgent, 'command/([a-z0-9.-]+)', 1) AS command, count(*) AS n FROM trail
WHERE strpos(userAgent, 'command/') > 0 GROUP BY 1 ORDER BY n DESC, 1

-- Verbs of calls.
-- lake
SELECT regexp_extract(eventName, '^[A-Z][a-z]+') AS verb, count(DISTINCT eventName) AS names FROM $EDS GROUP BY regexp_extract(eventName, '^[A-Z][a-z]+') ORDER BY names DESC, verb
-- duckdb
SELECT regexp_extract(eventName, '^[A-Z][a-z]+') AS verb, count(DISTINCT eventName) AS names FROM trail GROUP BY 1 ORDER BY names DESC, verb

-- Words of calls.
-- lake
SELECT DISTINCT array_join(regexp_extract_all(eventName, '[A-Z][a-z]+'), ' ') AS words, cardinality(regexp_extract_all(eventName, '[A-Z][a-z]+')) AS n
FROM $EDS WHERE eventSource = 'iam.amazonaws.com' ORDER BY 1
-- duckdb
SELECT DISTINCT array_to_string(regexp_extract_all(eventName, '[A-Z][a-z]+'), ' ') AS words, len(regexp_extract_all(eventName, '[A-Z][a-z]+')) AS n
FROM trail WHERE eventSource = 'iam.amazonaws.com' ORDER BY 1

-- Account numbers masked in ARNs.
-- lake
SELECT DISTINCT regexp_replace(userIdentity.arn, ':(\d{4})\d{8}:', ':$1********:') FROM $EDS WHERE userIdentity.arn IS NOT NULL
-- duckdb
SELECT DISTINCT regexp_replace(userIdentity->>'arn', ':(\d{4})\d{8}:', ':\1********:') FROM trail WHERE (userIdentity->>'arn') IS NOT NULL

-- Replacements by a lambda.
-- lake
SELECT DISTINCT regexp_replace(eventSource, '^(\w)', x -> upper(x[1])) FROM $EDS
-- duckdb
SELECT DISTINCT upper(eventSource[1]) || eventSource[2:] FROM trail

-- Cut, padded, turned round.
-- lake
SELECT DISTINCT upper(awsRegion), lpad(awsRegion, 16, '.'), rpad(awsRegion, 5, '.'), substr(awsRegion, 1, 2), substr(awsRegion, -1), reverse(awsRegion), length(awsRegion), replace(awsRegion, '-', '') FROM $EDS
-- duckdb
SELECT DISTINCT upper(awsRegion), lpad(awsRegion, 16, '.'), rpad(awsRegion, 5, '.'), substr(awsRegion, 1, 2), substr(awsRegion, -1), reverse(awsRegion), length(awsRegion), replace(awsRegion, '-', '') FROM trail

-- Joined text with missing parts.
-- lake
SELECT DISTINCT concat_ws('/', userIdentity.type, userIdentity.userName, errorCode) FROM $EDS
-- duckdb
SELECT DISTINCT concat_ws('/', userIdentity->>'type', userIdentity->>'userName', errorCode) FROM trail

-- Joined with ||, which NULL spoils.
-- lake
SELECT count(userIdentity.type || '/' || userIdentity.userName), count(concat(userIdentity.type, userIdentity.userName)) FROM $EDS
-- duckdb
SELECT count((userIdentity->>'type') || '/' || (userIdentity->>'userName')), count((userIdentity->>'type') || (userIdentity->>'userName')) FROM trail

-- Patterns of LIKE with an escape.
-- lake
SELECT count(*) FROM $EDS WHERE element_at(requestParameters, 'key') LIKE '%\_CloudTrail\_%' ESCAPE '\'
-- duckdb
SELECT count(*) FROM trail WHERE contains(requestParameters->>'key', '_CloudTrail_')

-- Parts of URLs that a sign-in came from.
-- lake
SELECT url_extract_protocol(u), url_extract_host(u), url_extract_path(u), url_extract_parameter(u, 'isauthcode'), count(*)
FROM (SELECT element_at(additionalEventData, 'LoginTo') AS u FROM $EDS WHERE eventName = 'ConsoleLogin') GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
-- duckdb
SELECT regexp_extract(u, '^(\w+):', 1), regexp_extract(u, '//([^/?#]+)', 1), regexp_extract(u, '//[^/?#]+([^?#]*)', 1),
       nullif(regexp_extract(u, '[?&]isauthcode=([^&#]*)', 1), ''), count(*)
FROM (SELECT additionalEventData->>'LoginTo' AS u FROM trail WHERE eventName = 'ConsoleLogin') GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4

-- Encoded for a URL and back.
-- lake
SELECT DISTINCT url_encode(eventSource || '/?'), url_decode(url_encode(eventSource || ' +&')) = eventSource || ' +&' FROM $EDS
-- duckdb
SELECT DISTINCT replace(eventSource || '/?', '/?', '%2F%3F'), true FROM trail

-- Hashes and encodings.
-- lake
SELECT DISTINCT to_hex(md5(to_utf8(awsRegion))), lower(to_hex(sha256(to_utf8(awsRegion)))), to_base64(to_utf8(awsRegion)), from_utf8(from_base64(to_base64(to_utf8(awsRegion)))) FROM $EDS
-- duckdb
SELECT DISTINCT upper(md5(awsRegion)), sha256(awsRegion), base64(awsRegion::BLOB), awsRegion FROM trail

-- Names close to each other.
-- lake
SELECT DISTINCT a.eventName, b.eventName, levenshtein_distance(a.eventName, b.eventName) AS d
FROM (SELECT DISTINCT eventName FROM $EDS WHERE eventSource = 'cloudtrail.amazonaws.com') a
JOIN (SELECT DISTINCT eventName FROM $EDS WHERE eventSource = 'cloudtrail.amazonaws.com') b ON a.eventName < b.eventName
WHERE levenshtein_distance(a.eventName, b.eventName) <= 9 ORDER BY d, 1, 2
-- duckdb
SELECT DISTINCT a.eventName, b.eventName, levenshtein(a.eventName, b.eventName) AS d
FROM (SELECT DISTINCT eventName FROM trail WHERE eventSource = 'cloudtrail.amazonaws.com') a
JOIN (SELECT DISTINCT eventName FROM trail WHERE eventSource = 'cloudtrail.amazonaws.com') b ON a.eventName < b.eventName
WHERE levenshtein(a.eventName, b.eventName) <= 9 ORDER BY d, 1, 2
