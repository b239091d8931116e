-- The three most frequent calls of each service.
-- lake
SELECT eventSource, eventName, n FROM (
  SELECT eventSource, eventName, count(*) AS n, row_number() OVER (PARTITION BY eventSource ORDER BY count(*) DESC, eventName) AS place
  FROM $EDS GROUP BY eventSource, eventName) WHERE place <= 3 ORDER BY eventSource, place
-- duckdb
SELECT eventSource, eventName, n FROM (
  SELECT eventSource, eventName, count(*) AS n, row_number() OVER (PARTITION BY eventSource ORDER BY count(*) DESC, eventName) AS place
  FROM trail GROUP BY eventSource, eventName) WHERE place <= 3 ORDER BY eventSource, place

-- Ranks with ties.
-- lake
SELECT eventName, n, rank() OVER (ORDER BY n DESC), dense_rank() OVER (ORDER BY n DESC), ntile(4) OVER (ORDER BY n DESC, eventName)
FROM (SELECT eventName, count(*) AS n FROM $EDS WHERE eventSource = 'iam.amazonaws.com' GROUP BY eventName) ORDER BY n DESC, eventName
-- duckdb
SELECT eventName, n, rank() OVER (ORDER BY n DESC), dense_rank() OVER (ORDER BY n DESC), ntile(4) OVER (ORDER BY n DESC, eventName)
FROM (SELECT eventName, count(*) AS n FROM trail WHERE eventSource = 'iam.amazonaws.com' GROUP BY eventName) ORDER BY n DESC, eventName

-- Running totals of a day's events.
-- lake
SELECT hour, n, sum(n) OVER (ORDER BY hour) AS total, avg(n) OVER (ORDER BY hour ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS smooth
FROM (SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM $EDS GROUP BY 1) ORDER BY hour
-- duckdb
SELECT hour, n, sum(n) OVER (ORDER BY hour) AS total, avg(n) OVER (ORDER BY hour ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS smooth
FROM (SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM trail GROUP BY 1) ORDER BY hour

-- Each call and the one before it, of one user.
-- lake
SELECT eventTime, eventName, lag(eventName) OVER (ORDER BY eventTime, eventID) AS before, lead(eventName, 2, 'end') OVER (ORDER BY eventTime, eventID) AS later
FROM $EDS WHERE userIdentity.userName = 'jmerckle' ORDER BY eventTime, eventID
-- duckdb
SELECT eventTime, eventName, lag(eventName) OVER (ORDER BY eventTime, eventID) AS before, lead(eventName, 2, 'end') OVER (ORDER BY eventTime, eventID) AS later
FROM trail WHERE (userIdentity->>'userName') = 'jmerckle' ORDER BY eventTime, eventID

-- Sessions: a pause of half an hour begins a new one.
-- lake
WITH gaps AS (
  SELECT eventTime, CASE WHEN date_diff('minute', lag(eventTime) OVER (ORDER BY eventTime), eventTime) < 30 THEN 0 ELSE 1 END AS fresh
  FROM $EDS WHERE userIdentity.type = 'Root'
), numbered AS (SELECT eventTime, sum(fresh) OVER (ORDER BY eventTime ROWS UNBOUNDED PRECEDING) AS session FROM gaps)
SELECT session, count(*), min(eventTime), max(eventTime) FROM numbered GROUP BY session ORDER BY session
-- duckdb
WITH gaps AS (
  SELECT eventTime, CASE WHEN date_sub('minute', lag(eventTime) OVER (ORDER BY eventTime), eventTime) < 30 THEN 0 ELSE 1 END AS fresh
  FROM trail WHERE (userIdentity->>'type') = 'Root'
), numbered AS (SELECT eventTime, sum(fresh) OVER (ORDER BY eventTime ROWS UNBOUNDED PRECEDING) AS session FROM gaps)
SELECT session, count(*), min(eventTime), max(eventTime) FROM numbered GROUP BY session ORDER BY session

-- First and last values of windows.
-- lake
SELECT DISTINCT awsRegion, first_value(eventName) OVER (PARTITION BY awsRegion ORDER BY eventTime, eventID) AS first,
       last_value(eventName) OVER (PARTITION BY awsRegion ORDER BY eventTime, eventID ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last
FROM $EDS ORDER BY awsRegion
-- duckdb
SELECT DISTINCT awsRegion, first_value(eventName) OVER (PARTITION BY awsRegion ORDER BY eventTime, eventID) AS first,
       last_value(eventName) OVER (PARTITION BY awsRegion ORDER BY eventTime, eventID ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last
FROM trail ORDER BY awsRegion

-- A share of the whole, beside each part.
-- lake
SELECT awsRegion, n, round(CAST(n AS double) / sum(n) OVER (), 5) FROM (SELECT awsRegion, count(*) AS n FROM $EDS GROUP BY awsRegion) ORDER BY awsRegion
-- duckdb
SELECT awsRegion, n, round(n::DOUBLE / sum(n) OVER (), 5) FROM (SELECT awsRegion, count(*) AS n FROM trail GROUP BY awsRegion) ORDER BY awsRegion

-- Hours far busier than usual.
-- lake
WITH hours AS (SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM $EDS GROUP BY 1),
     usual AS (SELECT avg(n) AS mean, stddev(n) AS spread FROM hours)
SELECT hour, n FROM hours CROSS JOIN usual WHERE n > mean + 2 * spread ORDER BY hour
-- duckdb
WITH hours AS (SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM trail GROUP BY 1),
     usual AS (SELECT avg(n) AS mean, stddev(n) AS spread FROM hours)
SELECT hour, n FROM hours CROSS JOIN usual WHERE n > mean + 2 * spread ORDER BY hour

-- Statistics over hours.
-- lake
SELECT avg(n), stddev_samp(n), stddev_pop(n), variance(n), var_pop(n), geometric_mean(n), max(n), min(n), max_by(hour, n), min_by(n, hour), corr(n, people)
FROM (SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n, count_if(userIdentity.type IN ('Root', 'IAMUser')) AS people FROM $EDS GROUP BY 1)
-- duckdb
SELECT avg(n), stddev_samp(n), stddev_pop(n), var_samp(n), var_pop(n), geomean(n), max(n), min(n), max_by(hour, n), min_by(n, hour), corr(n, people)
FROM (SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n, count(*) FILTER (WHERE (userIdentity->>'type') IN ('Root', 'IAMUser')) AS people FROM trail GROUP BY 1)

-- The busiest hours of all.
-- lake
SELECT array_join(transform(max_by(hour, n, 3), h -> date_format(h, '%d %H')), ',') FROM (SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM $EDS GROUP BY 1)
-- duckdb
SELECT string_agg(strftime(hour, '%d %H'), ',' ORDER BY n DESC) FROM (SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM trail GROUP BY 1 ORDER BY n DESC LIMIT 3)

-- Distinct values, roughly.
-- within 0.05
-- lake
SELECT approx_distinct(eventID), approx_distinct(eventName), approx_distinct(requestID, 0.01) FROM $EDS
-- duckdb
SELECT count(DISTINCT eventID), count(DISTINCT eventName), count(DISTINCT record->>'requestID') FROM trail

-- True for all, true for one.
-- lake
SELECT eventSource, bool_and(readOnly), bool_or(readOnly), every(managementEvent) FROM $EDS GROUP BY eventSource ORDER BY 1
-- duckdb
SELECT eventSource, bool_and(readOnly), bool_or(readOnly), bool_and(managementEvent) FROM trail GROUP BY eventSource ORDER BY 1

-- A recursion-free chain of named queries.
-- lake
WITH calls AS (SELECT eventName, userIdentity.userName AS who FROM $EDS WHERE userIdentity.userName IS NOT NULL),
     per AS (SELECT who, eventName, count(*) AS n FROM calls GROUP BY who, eventName),
     most AS (SELECT who, max(n) AS n FROM per GROUP BY who)
SELECT per.who, per.eventName, per.n FROM per JOIN most ON per.who = most.who AND per.n = most.n ORDER BY per.who, per.eventName
-- duckdb
WITH calls AS (SELECT eventName, userIdentity->>'userName' AS who FROM trail WHERE (userIdentity->>'userName') IS NOT NULL),
     per AS (SELECT who, eventName, count(*) AS n FROM calls GROUP BY who, eventName),
     most AS (SELECT who, max(n) AS n FROM per GROUP BY who)
SELECT per.who, per.eventName, per.n FROM per JOIN most ON per.who = most.who AND per.n = most.n ORDER BY per.who, per.eventName
