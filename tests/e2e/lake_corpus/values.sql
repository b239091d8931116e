-- Casts that fail become NULL when tried.
-- lake
SELECT count(try_cast(userAgent AS bigint)), count(try(CAST(substr(eventID, 1, 2) AS bigint))), count(try(1 / (length(awsRegion) - 9))) FROM $EDS
-- duckdb
SELECT 0, count(*) FILTER (WHERE regexp_matches(eventID, '^\d\d')), count(*) FILTER (WHERE length(awsRegion) <> 9) FROM trail

-- Types by name.
-- lake
SELECT DISTINCT typeof(eventName), typeof(readOnly), typeof(count(*) OVER ()), typeof(ARRAY[eventName]), typeof(CAST(NULL AS map(varchar, json))),
       typeof(CAST(ROW(1, 'a') AS row(x bigint, y varchar))), typeof(requestParameters), typeof(CAST(eventTime AS date)) FROM $EDS
-- duckdb
SELECT 'varchar', 'boolean', 'bigint', 'array(varchar)', 'map(varchar, json)', 'row(x bigint, y varchar)', 'map(varchar, varchar)', 'date'

-- Text of numbers, dates and truth values.
-- lake
SELECT CAST(count(*) AS varchar), CAST(CAST(min(eventTime) AS date) AS varchar), CAST(bool_or(readOnly) AS varchar), CAST(1.5e0 AS varchar) FROM $EDS
-- duckdb
SELECT count(*)::VARCHAR, min(eventTime)::DATE::VARCHAR, 'true', '1.5E0' FROM trail

-- Whole numbers, fractions and remainders.
-- lake
SELECT count(*) / 7, count(*) % 7, mod(count(*), 1000), CAST(count(*) AS double) / 7, round(CAST(count(*) AS double) / 7, 3), floor(CAST(count(*) AS double) / 7), ceiling(CAST(count(*) AS double) / 7) FROM $EDS
-- duckdb
SELECT count(*) // 7, count(*) % 7, count(*) % 1000, count(*) / 7, round(count(*) / 7, 3), floor(count(*) / 7), ceil(count(*) / 7) FROM trail

-- Functions of numbers.
-- lake
SELECT abs(-n), sqrt(n), power(n, 2), ln(n), log10(n), log(2, n), exp(1), sign(-n), truncate(n / 7e0), greatest(n, 5, 3), least(n, 5, 3), cbrt(n), round(-2.5e0), bitwise_and(n, 255), bitwise_or(n, 1), bitwise_xor(n, 3)
FROM (SELECT count(*) AS n FROM $EDS)
-- duckdb
SELECT abs(-n), sqrt(n), power(n, 2), ln(n), log10(n), log2(n), exp(1), sign(-n), trunc(n / 7e0), greatest(n, 5, 3), least(n, 5, 3), cbrt(n), -3, n & 255, n | 1, xor(n, 3)
FROM (SELECT count(*) AS n FROM trail)

-- Conditions of every kind.
-- lake
SELECT if(readOnly, 'read', 'write') AS what, CASE eventCategory WHEN 'Data' THEN 1 WHEN 'Management' THEN 2 END AS category,
       coalesce(errorCode, 'fine') AS code, nullif(awsRegion, 'us-east-1') AS elsewhere, count(*)
FROM $EDS GROUP BY 1, 2, 3, 4
-- duckdb
SELECT if(readOnly, 'read', 'write') AS what, CASE eventCategory WHEN 'Data' THEN 1 WHEN 'Management' THEN 2 END AS category,
       coalesce(errorCode, 'fine') AS code, nullif(awsRegion, 'us-east-1') AS elsewhere, count(*)
FROM trail GROUP BY 1, 2, 3, 4

-- NULL compared.
-- lake
SELECT count_if(errorCode IS DISTINCT FROM 'AccessDenied'), count_if(errorCode IS NOT DISTINCT FROM NULL), count_if(errorCode <> 'AccessDenied') FROM $EDS
-- duckdb
SELECT count(*) FILTER (WHERE errorCode IS DISTINCT FROM 'AccessDenied'), count(*) FILTER (WHERE errorCode IS NULL), count(*) FILTER (WHERE errorCode <> 'AccessDenied') FROM trail

-- Values in lists and ranges.
-- lake
SELECT count(*) FROM $EDS WHERE awsRegion IN ('us-east-1', 'us-west-1') AND eventName NOT IN ('PutObject', 'GetBucketAcl') AND length(eventName) BETWEEN 5 AND 12
-- duckdb
SELECT count(*) FROM trail WHERE awsRegion IN ('us-east-1', 'us-west-1') AND eventName NOT IN ('PutObject', 'GetBucketAcl') AND length(eventName) BETWEEN 5 AND 12

-- Rows as values.
-- lake
SELECT r.a, r.b, count(*) FROM (SELECT CAST(ROW(awsRegion, readOnly) AS row(a varchar, b boolean)) AS r FROM $EDS) GROUP BY r.a, r.b
-- duckdb
SELECT awsRegion, readOnly, count(*) FROM trail GROUP BY ALL

-- Formatted text.
-- lake
SELECT format('%s: %,d calls, %.1f%%', awsRegion, n, 100e0 * n / total) FROM (
  SELECT awsRegion, count(*) AS n, (SELECT count(*) FROM $EDS) AS total FROM $EDS GROUP BY awsRegion) ORDER BY awsRegion
-- duckdb
SELECT format('{}: {:,} calls, {:.1f}%', awsRegion, n, 100e0 * n / total) FROM (
  SELECT awsRegion, count(*) AS n, (SELECT count(*) FROM trail) AS total FROM trail GROUP BY awsRegion) ORDER BY awsRegion

-- A struct as a whole, as JSON.
-- lake
SELECT json_extract_scalar(CAST(userIdentity AS json), '$.username') AS who, count(*) FROM $EDS WHERE userIdentity.userName IS NOT NULL GROUP BY 1 ORDER BY 1
-- duckdb
SELECT userIdentity->>'userName' AS who, count(*) FROM trail WHERE (userIdentity->>'userName') IS NOT NULL GROUP BY 1 ORDER BY 1
