//! Sample queries about how much happens, and by whom.

use super::Sample;

pub(super) static SAMPLES: &[Sample] = &[
    Sample {
        name: "Most frequent errors",
        description: "The errors that calls ended with most often in the last thirty days.",
        words: "top errors failures errorCode month common",
        sql: "SELECT eventSource, eventName, errorCode, count(*) AS calls\n\
              FROM $EDS_ID\n\
              WHERE errorCode IS NOT NULL AND eventTime > date_add('day', -30, now())\n\
              GROUP BY eventSource, eventName, errorCode\n\
              ORDER BY calls DESC\n\
              LIMIT 50",
    },
    Sample {
        name: "Most active principals",
        description: "Who made most calls in the last seven days.",
        words: "top users busiest callers week",
        sql: "SELECT userIdentity.arn, count(*) AS calls, count(DISTINCT eventName) AS operations\n\
              FROM $EDS_ID\n\
              WHERE eventTime > date_add('day', -7, now())\n\
              GROUP BY userIdentity.arn\n\
              ORDER BY calls DESC\n\
              LIMIT 50",
    },
    Sample {
        name: "Calls by service",
        description: "How often each service was called, and how many of the calls changed something.",
        words: "count per eventSource usage overview distribution",
        sql: "SELECT eventSource, count(*) AS calls, count_if(readOnly = false) AS changes\n\
              FROM $EDS_ID\n\
              GROUP BY eventSource\n\
              ORDER BY calls DESC",
    },
    Sample {
        name: "Calls by day",
        description: "How many events each day had, by category.",
        words: "count per date daily volume trend histogram",
        sql: "SELECT date_trunc('day', eventTime) AS day, eventCategory, count(*) AS calls\n\
              FROM $EDS_ID\n\
              GROUP BY date_trunc('day', eventTime), eventCategory\n\
              ORDER BY day DESC",
    },
    Sample {
        name: "Calls by region",
        description: "How many calls each region had, and the services that were called there.",
        words: "count per awsRegion unused location",
        sql: "SELECT awsRegion, count(*) AS calls, array_join(array_agg(DISTINCT eventSource), ', ') AS services\n\
              FROM $EDS_ID\n\
              GROUP BY awsRegion\n\
              ORDER BY calls DESC",
    },
    Sample {
        name: "Calls by account",
        description: "How many calls each account of an organization had, and when the last was.",
        words: "count per recipientAccountId organization member",
        sql: "SELECT recipientAccountId, count(*) AS calls, max(eventTime) AS last\n\
              FROM $EDS_ID\n\
              GROUP BY recipientAccountId\n\
              ORDER BY calls DESC",
    },
    Sample {
        name: "Calls of one operation",
        description: "Who called one operation, when and from where. Parameter: its name, such as RunInstances.",
        words: "eventName api action history",
        sql: "SELECT eventTime, userIdentity.arn, sourceIPAddress, errorCode, requestParameters\n\
              FROM $EDS_ID\n\
              WHERE eventName = ?\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Use of one access key",
        description: "What was done with one access key. Parameter: its ID.",
        words: "accessKeyId credentials compromised leaked stolen",
        sql: "SELECT eventTime, eventSource, eventName, sourceIPAddress, awsRegion, errorCode\n\
              FROM $EDS_ID\n\
              WHERE userIdentity.accessKeyId = ?\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "History of one resource",
        description: "Every event about one resource. Parameter: its ARN.",
        words: "resources arn touched changed who",
        sql: "SELECT eventTime, userIdentity.arn, eventSource, eventName, errorCode\n\
              FROM $EDS_ID\n\
              WHERE any_match(resources, r -> r.ARN = ?)\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "One event",
        description: "Everything about one event. Parameter: its ID.",
        words: "eventID record details single whole",
        sql: "SELECT * FROM $EDS_ID WHERE eventID = ?",
    },
    Sample {
        name: "Access keys not used lately",
        description: "Access keys that were used in the last ninety days and not in the last thirty.",
        words: "unused stale old inactive credentials accessKeyId",
        sql: "SELECT userIdentity.accessKeyId, userIdentity.arn, max(eventTime) AS last\n\
              FROM $EDS_ID\n\
              WHERE userIdentity.accessKeyId LIKE 'AKIA%' AND eventTime > date_add('day', -90, now())\n\
              GROUP BY userIdentity.accessKeyId, userIdentity.arn\n\
              HAVING max(eventTime) < date_add('day', -30, now())\n\
              ORDER BY last",
    },
    Sample {
        name: "Clients in use",
        description: "User agents by how often they called, with how many principals use each.",
        words: "userAgent sdk cli browser tool version",
        sql: "SELECT regexp_extract(userAgent, '^[^/ ]+') AS client, count(*) AS calls,\n\
              count(DISTINCT userIdentity.arn) AS principals\n\
              FROM $EDS_ID\n\
              GROUP BY regexp_extract(userAgent, '^[^/ ]+')\n\
              ORDER BY calls DESC\n\
              LIMIT 50",
    },
    Sample {
        name: "Throttled calls",
        description: "Calls that were refused because there were too many, by operation and hour.",
        words: "rate limit ThrottlingException RequestLimitExceeded slow down",
        sql: "SELECT date_trunc('hour', eventTime) AS hour, eventSource, eventName, count(*) AS calls\n\
              FROM $EDS_ID\n\
              WHERE regexp_like(errorCode, 'Throttl|RequestLimitExceeded|TooManyRequests|SlowDown')\n\
              GROUP BY date_trunc('hour', eventTime), eventSource, eventName\n\
              ORDER BY hour DESC, calls DESC",
    },
    Sample {
        name: "Queries of event data stores",
        description: "Who asked which questions of event data stores.",
        words: "lake StartQuery audit statement sql",
        sql: "SELECT eventTime, userIdentity.arn, element_at(requestParameters, 'queryStatement') AS statement\n\
              FROM $EDS_ID\n\
              WHERE eventSource = 'cloudtrail.amazonaws.com' AND eventName = 'StartQuery'\n\
              ORDER BY eventTime DESC",
    },
];
