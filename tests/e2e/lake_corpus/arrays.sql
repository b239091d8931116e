-- What each user did, as one list.
-- lake
SELECT userIdentity.userName, array_join(array_sort(array_distinct(array_agg(eventName))), ', ') FROM $EDS
WHERE userIdentity.userName IS NOT NULL GROUP BY userIdentity.userName ORDER BY 1
-- duckdb
SELECT userIdentity->>'userName', string_agg(DISTINCT eventName, ', ' ORDER BY eventName) FROM trail
WHERE (userIdentity->>'userName') IS NOT NULL GROUP BY 1 ORDER BY 1

-- The same with listagg.
-- lake
SELECT listagg(DISTINCT awsRegion, '|') WITHIN GROUP (ORDER BY awsRegion) FROM $EDS
-- duckdb
SELECT string_agg(DISTINCT awsRegion, '|' ORDER BY awsRegion) FROM trail

-- Events with a resource of another account.
-- lake
SELECT count(*) FROM $EDS WHERE any_match(resources, r -> r.accountId <> recipientAccountId)
-- duckdb
SELECT count(*) FROM trail
WHERE len(list_filter(from_json(resources, '["JSON"]'), lambda r: (r->>'accountId') <> recipientAccountId)) > 0

-- Types of resources of each event, as a list.
-- lake
SELECT array_join(transform(resources, r -> coalesce(r.type, '?')), '+') AS kinds, count(*) AS n FROM $EDS
WHERE resources IS NOT NULL GROUP BY 1 ORDER BY n DESC, kinds
-- duckdb
SELECT array_to_string(list_transform(from_json(resources, '["JSON"]'), lambda r: coalesce(r->>'type', '?')), '+') AS kinds, count(*) AS n
FROM trail WHERE resources IS NOT NULL GROUP BY 1 ORDER BY n DESC, kinds

-- Buckets' ARNs among the resources.
-- lake
SELECT filter(resources, r -> r.type = 'AWS::S3::Bucket')[1].arn AS bucket, count(*) AS n FROM $EDS
WHERE any_match(resources, r -> r.type = 'AWS::S3::Bucket') GROUP BY 1 ORDER BY n DESC, 1
-- duckdb
SELECT list_filter(from_json(resources, '["JSON"]'), lambda r: (r->>'type') = 'AWS::S3::Bucket')[1]->>'ARN' AS bucket, count(*) AS n FROM trail
WHERE len(list_filter(from_json(resources, '["JSON"]'), lambda r: (r->>'type') = 'AWS::S3::Bucket')) > 0 GROUP BY 1 ORDER BY n DESC, 1

-- Events whose resources are all objects or buckets, and those without any.
-- lake
SELECT all_match(resources, r -> r.type LIKE 'AWS::S3::%') AS allofs3, none_match(resources, r -> r.type = 'AWS::KMS::Key') AS nokey, count(*)
FROM $EDS WHERE resources IS NOT NULL GROUP BY 1, 2
-- duckdb
SELECT list_bool_and(list_transform(from_json(resources, '["JSON"]'), lambda r: (r->>'type') LIKE 'AWS::S3::%')),
       NOT list_bool_or(list_transform(from_json(resources, '["JSON"]'), lambda r: (r->>'type') = 'AWS::KMS::Key')), count(*)
FROM trail WHERE resources IS NOT NULL GROUP BY 1, 2

-- Depth of the keys of objects.
-- lake
SELECT cardinality(split(element_at(requestParameters, 'key'), '/')) AS depth, count(*) FROM $EDS
WHERE eventName = 'PutObject' GROUP BY 1 ORDER BY 1
-- duckdb
SELECT len(string_split(requestParameters->>'key', '/')) AS depth, count(*) FROM trail WHERE eventName = 'PutObject' GROUP BY 1 ORDER BY 1

-- Last parts of ARNs, counted from the end.
-- lake
SELECT DISTINCT element_at(split(userIdentity.arn, '/'), -1) FROM $EDS WHERE userIdentity.arn LIKE '%/%'
-- duckdb
SELECT DISTINCT string_split(userIdentity->>'arn', '/')[-1] FROM trail WHERE (userIdentity->>'arn') LIKE '%/%'

-- Lengths of the parts of a key, added up.
-- lake
SELECT max(reduce(split(element_at(requestParameters, 'key'), '/'), 0, (s, x) -> s + length(x), s -> s)) FROM $EDS WHERE eventName = 'GetObject'
-- duckdb
SELECT max(length(replace(requestParameters->>'key', '/', ''))) FROM trail WHERE eventName = 'GetObject'

-- Calls that one user made and another did not.
-- lake
SELECT array_join(array_sort(array_except(a, b)), ' ') FROM (
  SELECT array_agg(DISTINCT eventName) FILTER (WHERE userIdentity.userName = 'jmerckle') AS a,
         array_agg(DISTINCT eventName) FILTER (WHERE userIdentity.type = 'Root') AS b FROM $EDS)
-- duckdb
SELECT string_agg(eventName, ' ' ORDER BY eventName) FROM (
  SELECT DISTINCT eventName FROM trail WHERE (userIdentity->>'userName') = 'jmerckle'
  EXCEPT SELECT DISTINCT eventName FROM trail WHERE (userIdentity->>'type') = 'Root')

-- What both users did, and how much all did together.
-- lake
SELECT cardinality(array_intersect(a, b)), cardinality(array_union(a, b)), contains(a, 'ListUsers'), arrays_overlap(a, ARRAY['CreateKey']) FROM (
  SELECT array_agg(DISTINCT eventName) FILTER (WHERE userIdentity.type = 'IAMUser') AS a,
         array_agg(DISTINCT eventName) FILTER (WHERE userIdentity.type = 'Root') AS b FROM $EDS)
-- duckdb
SELECT len(list_intersect(a, b)), len(list_distinct(list_concat(a, b))), list_contains(a, 'ListUsers'), list_has_any(a, ['CreateKey']) FROM (
  SELECT array_agg(DISTINCT eventName) FILTER (WHERE (userIdentity->>'type') = 'IAMUser') AS a,
         array_agg(DISTINCT eventName) FILTER (WHERE (userIdentity->>'type') = 'Root') AS b FROM trail)

-- Lists of lists, flattened, with a lambda in a lambda that reads a column.
-- lake
SELECT array_join(flatten(transform(ARRAY[1, 2], x -> transform(ARRAY['a', 'b'], y -> concat(y, CAST(x AS varchar), awsRegion)))), ' ') AS text, count(*)
FROM $EDS GROUP BY 1 ORDER BY 1
-- duckdb
SELECT 'a1' || awsRegion || ' b1' || awsRegion || ' a2' || awsRegion || ' b2' || awsRegion AS text, count(*) FROM trail GROUP BY 1 ORDER BY 1

-- A sequence of days, with the events of each, none included.
-- lake
SELECT d, count(e.eventID) FROM UNNEST(sequence(26, 31)) AS days (d)
LEFT JOIN $EDS e ON day(e.eventTime) = d AND month(e.eventTime) = 7 GROUP BY d ORDER BY d
-- duckdb
SELECT d, count(eventID) FROM (SELECT unnest(generate_series(26, 31)) AS d)
LEFT JOIN trail ON day(eventTime) = d AND month(eventTime) = 7 GROUP BY d ORDER BY d

-- Slices, positions and sorting.
-- lake
SELECT array_join(slice(names, 2, 3), ' '), array_position(names, 'Decrypt'), array_max(names), array_min(names), names[1], array_join(reverse(slice(names, -2, 2)), ' ')
FROM (SELECT array_sort(array_agg(DISTINCT eventName)) AS names FROM $EDS WHERE eventSource IN ('kms.amazonaws.com', 'logs.amazonaws.com'))
-- duckdb
SELECT array_to_string(names[2:4], ' '), list_position(names, 'Decrypt'), list_max(names), list_min(names), names[1], names[-1] || ' ' || names[-2]
FROM (SELECT list_sort(array_agg(DISTINCT eventName)) AS names FROM trail WHERE eventSource IN ('kms.amazonaws.com', 'logs.amazonaws.com'))

-- Two lists side by side.
-- lake
SELECT array_join(zip_with(names, counts, (n, c) -> n || '=' || CAST(c AS varchar)), '; ') FROM (
  SELECT array_agg(awsRegion ORDER BY awsRegion) AS names, array_agg(n ORDER BY awsRegion) AS counts FROM (
    SELECT awsRegion, count(*) AS n FROM $EDS GROUP BY awsRegion))
-- duckdb
SELECT string_agg(awsRegion || '=' || n, '; ' ORDER BY awsRegion) FROM (SELECT awsRegion, count(*) AS n FROM trail GROUP BY awsRegion)

-- Sorted by a comparison of one's own: long names first.
-- lake
SELECT array_join(slice(array_sort(array_agg(DISTINCT eventName), (a, b) -> if(length(a) = length(b), if(a < b, -1, 1), length(b) - length(a))), 1, 5), ' ')
FROM $EDS WHERE eventSource = 'ec2.amazonaws.com'
-- duckdb
SELECT string_agg(eventName, ' ' ORDER BY length(eventName) DESC, eventName) FROM (
  SELECT DISTINCT eventName FROM trail WHERE eventSource = 'ec2.amazonaws.com' ORDER BY length(eventName) DESC, eventName LIMIT 5)
