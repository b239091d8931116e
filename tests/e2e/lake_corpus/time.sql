-- Events of a day, by timestamps written as strings.
-- lake
SELECT eventName, count(*) AS n FROM $EDS
WHERE eventTime > '2021-07-30 00:00:00' AND eventTime < '2021-07-31 00:00:00' GROUP BY eventName ORDER BY n DESC, 1 LIMIT 25
-- duckdb
SELECT eventName, count(*) AS n FROM trail
WHERE eventTime > '2021-07-30 00:00:00' AND eventTime < '2021-07-31 00:00:00' GROUP BY eventName ORDER BY n DESC, 1 LIMIT 25

-- Events between two moments.
-- lake
SELECT count(*) FROM $EDS WHERE eventTime BETWEEN timestamp '2021-07-29 12:00:00' AND timestamp '2021-07-29 18:30:00'
-- duckdb
SELECT count(*) FROM trail WHERE eventTime BETWEEN TIMESTAMP '2021-07-29 12:00:00' AND TIMESTAMP '2021-07-29 18:30:00'

-- Events after an ISO 8601 moment of another zone.
-- lake
SELECT count(*) FROM $EDS WHERE eventTime >= from_iso8601_timestamp('2021-07-30T02:00:00+02:00')
-- duckdb
SELECT count(*) FROM trail WHERE eventTime >= TIMESTAMP '2021-07-30 00:00:00'

-- Events a day.
-- lake
SELECT date(eventTime) AS day, count(*) FROM $EDS GROUP BY date(eventTime) ORDER BY day
-- duckdb
SELECT eventTime::DATE AS day, count(*) FROM trail GROUP BY 1 ORDER BY day

-- Events an hour of the day, in New York.
-- lake
SELECT hour(at_timezone(CAST(eventTime AS timestamp with time zone), 'America/New_York')) AS h, count(*) FROM $EDS
WHERE userIdentity.type = 'IAMUser' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT hour(eventTime - INTERVAL 4 HOUR) AS h, count(*) FROM trail
WHERE (userIdentity->>'type') = 'IAMUser' GROUP BY 1 ORDER BY 1

-- The same with AT TIME ZONE.
-- lake
SELECT date_format(eventTime AT TIME ZONE 'America/New_York', '%a %H') AS h, count(*) FROM $EDS
WHERE userIdentity.type = 'IAMUser' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT strftime(eventTime - INTERVAL 4 HOUR, '%a %H') AS h, count(*) FROM trail
WHERE (userIdentity->>'type') = 'IAMUser' GROUP BY 1 ORDER BY 1

-- Events on each day of the week, Monday first.
-- lake
SELECT day_of_week(eventTime) AS dow, date_format(min(eventTime), '%W') AS name, count(*) FROM $EDS GROUP BY 1 ORDER BY 1
-- duckdb
SELECT isodow(eventTime) AS dow, dayname(min(eventTime)) AS name, count(*) FROM trail GROUP BY 1 ORDER BY 1

-- Parts of a moment.
-- lake
SELECT year(t), quarter(t), month(t), week(t), day(t), day_of_year(t), hour(t), minute(t), second(t), year_of_week(t)
FROM (SELECT min(eventTime) AS t FROM $EDS)
-- duckdb
SELECT year(t), quarter(t), month(t), week(t), day(t), dayofyear(t), hour(t), minute(t), second(t), isoyear(t)
FROM (SELECT min(eventTime) AS t FROM trail)

-- EXTRACT, and intervals.
-- lake
SELECT extract(hour FROM eventTime) AS h, count(*) FROM $EDS
WHERE eventTime >= timestamp '2021-07-31 00:00:00' - interval '1' day AND eventTime < timestamp '2021-07-31 00:00:00'
GROUP BY extract(hour FROM eventTime) ORDER BY 1
-- duckdb
SELECT extract(hour FROM eventTime) AS h, count(*) FROM trail
WHERE eventTime >= TIMESTAMP '2021-07-30 00:00:00' AND eventTime < TIMESTAMP '2021-07-31 00:00:00' GROUP BY 1 ORDER BY 1

-- Truncated to months, weeks and quarters.
-- lake
SELECT date_trunc('month', eventTime) AS month, date_trunc('week', eventTime) AS week, date_trunc('quarter', eventTime) AS quarter, count(*)
FROM $EDS GROUP BY 1, 2, 3 ORDER BY 1, 2
-- duckdb
SELECT date_trunc('month', eventTime), date_trunc('week', eventTime), date_trunc('quarter', eventTime), count(*)
FROM trail GROUP BY 1, 2, 3 ORDER BY 1, 2

-- The last six hours before the last event.
-- lake
SELECT eventSource, count(*) FROM $EDS
WHERE eventTime > (SELECT date_add('hour', -6, max(eventTime)) FROM $EDS) GROUP BY eventSource ORDER BY 1
-- duckdb
SELECT eventSource, count(*) FROM trail
WHERE eventTime > (SELECT max(eventTime) - INTERVAL 6 HOUR FROM trail) GROUP BY eventSource ORDER BY 1

-- How long the trail is, in several units.
-- lake
SELECT date_diff('second', a, b), date_diff('minute', a, b), date_diff('hour', a, b), date_diff('day', a, b)
FROM (SELECT min(eventTime) AS a, max(eventTime) AS b FROM $EDS)
-- duckdb
SELECT date_sub('second', a, b), date_sub('minute', a, b), date_sub('hour', a, b), date_sub('day', a, b)
FROM (SELECT min(eventTime) AS a, max(eventTime) AS b FROM trail)

-- Seconds since 1970 and back.
-- lake
SELECT CAST(to_unixtime(min(eventTime)) AS bigint), to_iso8601(from_unixtime(to_unixtime(max(eventTime)))) FROM $EDS
-- duckdb
SELECT epoch(min(eventTime))::BIGINT, strftime(max(eventTime), '%Y-%m-%dT%H:%M:%S.%gZ') FROM trail

-- Dates that a record has as text, read with a format.
-- lake
SELECT date_parse(json_extract_scalar(eventJson, '$.eventTime'), '%Y-%m-%dT%H:%i:%sZ') AS t, count(*) FROM $EDS
WHERE eventSource = 'sts.amazonaws.com' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10
-- duckdb
SELECT strptime(record->>'eventTime', '%Y-%m-%dT%H:%M:%SZ') AS t, count(*) FROM trail
WHERE eventSource = 'sts.amazonaws.com' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10

-- The same with Joda's letters.
-- lake
SELECT format_datetime(eventTime, 'yyyy/MM/dd HH:mm:ss') AS t, count(*) FROM $EDS
WHERE eventSource = 'iam.amazonaws.com' GROUP BY format_datetime(eventTime, 'yyyy/MM/dd HH:mm:ss') ORDER BY 1
-- duckdb
SELECT strftime(eventTime, '%Y/%m/%d %H:%M:%S') AS t, count(*) FROM trail
WHERE eventSource = 'iam.amazonaws.com' GROUP BY 1 ORDER BY 1

-- Filters of a console's call that hold a date in words.
-- lake
SELECT parse_datetime(json_extract_scalar(element_at(requestParameters, 'filter'), '$.startTimes[0].from'), 'MMM d, yyyy h:mm:ss a') AS since
FROM $EDS WHERE eventName = 'DescribeEventAggregates' ORDER BY 1
-- duckdb
SELECT strftime(strptime(requestParameters->'filter'->'startTimes'->0->>'from', '%b %d, %Y %I:%M:%S %p'), '%Y-%m-%d %H:%M:%S.%g UTC') AS since
FROM trail WHERE eventName = 'DescribeEventAggregates' ORDER BY 1

-- Nothing is newer than now.
-- lake
SELECT count(*) FROM $EDS WHERE eventTime > current_timestamp OR eventTime > now() OR date(eventTime) > current_date
-- duckdb
SELECT 0

-- The gap before each sign-in.
-- lake
SELECT eventTime, date_diff('minute', lag(eventTime) OVER (ORDER BY eventTime), eventTime) AS minutes
FROM $EDS WHERE eventName = 'ConsoleLogin' ORDER BY eventTime
-- duckdb
SELECT eventTime, date_sub('minute', lag(eventTime) OVER (ORDER BY eventTime), eventTime) AS minutes
FROM trail WHERE eventName = 'ConsoleLogin' ORDER BY eventTime

-- Events in windows of fifteen minutes, while somebody worked.
-- lake
SELECT from_unixtime(900 * floor(to_unixtime(eventTime) / 900)) AS quarter, count(*) FROM $EDS
WHERE userIdentity.userName = 'jmerckle' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT strftime(time_bucket(INTERVAL 15 MINUTE, eventTime), '%Y-%m-%d %H:%M:%S.%g UTC'), count(*) FROM trail
WHERE (userIdentity->>'userName') = 'jmerckle' GROUP BY 1 ORDER BY 1
