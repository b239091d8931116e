//! Sample queries about who signs in, who is refused, and what protects the record.

use super::Sample;

pub(super) static SAMPLES: &[Sample] = &[
    Sample {
        name: "Failed console logins",
        description: "Sign-ins to the console that failed in the last seven days, by user and source address.",
        words: "signin sign-in password wrong brute force unsuccessful",
        sql: "SELECT userIdentity.userName, sourceIPAddress, count(*) AS failures, max(eventTime) AS last\n\
              FROM $EDS_ID\n\
              WHERE eventName = 'ConsoleLogin' AND element_at(responseElements, 'ConsoleLogin') = 'Failure'\n\
              AND eventTime > date_add('day', -7, now())\n\
              GROUP BY userIdentity.userName, sourceIPAddress\n\
              ORDER BY failures DESC",
    },
    Sample {
        name: "Console logins without MFA",
        description: "Successful sign-ins to the console for which no second factor was asked.",
        words: "signin sign-in sign ins multi factor authentication multifactor 2fa",
        sql: "SELECT eventTime, userIdentity.arn, sourceIPAddress, userAgent\n\
              FROM $EDS_ID\n\
              WHERE eventName = 'ConsoleLogin' AND element_at(responseElements, 'ConsoleLogin') = 'Success'\n\
              AND element_at(additionalEventData, 'MFAUsed') = 'No'\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Console logins from many regions",
        description: "Users who signed in to the console in more than one region on one day.",
        words: "signin sign-in multiple location travel",
        sql: "SELECT userIdentity.arn, date_trunc('day', eventTime) AS day, count(DISTINCT awsRegion) AS regions,\n\
              array_join(array_agg(DISTINCT awsRegion), ', ') AS names\n\
              FROM $EDS_ID\n\
              WHERE eventName = 'ConsoleLogin'\n\
              GROUP BY userIdentity.arn, date_trunc('day', eventTime)\n\
              HAVING count(DISTINCT awsRegion) > 1\n\
              ORDER BY day DESC",
    },
    Sample {
        name: "Use of the root user",
        description: "What was done with the credentials of an account's root user.",
        words: "root user account owner did do activity",
        sql: "SELECT eventTime, recipientAccountId, eventSource, eventName, sourceIPAddress, errorCode\n\
              FROM $EDS_ID\n\
              WHERE userIdentity.type = 'Root' AND userIdentity.invokedBy IS NULL\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Denied calls by principal",
        description: "Principals whose calls were refused most often in the last day, and what they tried.",
        words: "access denied unauthorized forbidden permission refused",
        sql: "SELECT userIdentity.arn, eventSource, eventName, count(*) AS refusals\n\
              FROM $EDS_ID\n\
              WHERE errorCode IN ('AccessDenied', 'Client.UnauthorizedOperation', 'UnauthorizedOperation')\n\
              AND eventTime > date_add('day', -1, now())\n\
              GROUP BY userIdentity.arn, eventSource, eventName\n\
              ORDER BY refusals DESC\n\
              LIMIT 100",
    },
    Sample {
        name: "Probing of permissions",
        description: "Principals that were refused at least ten different operations within an hour.",
        words: "access denied enumeration reconnaissance scan attack many",
        sql: "SELECT userIdentity.arn, date_trunc('hour', eventTime) AS hour, count(DISTINCT eventName) AS operations\n\
              FROM $EDS_ID\n\
              WHERE errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%UnauthorizedOperation%'\n\
              GROUP BY userIdentity.arn, date_trunc('hour', eventTime)\n\
              HAVING count(DISTINCT eventName) >= 10\n\
              ORDER BY operations DESC",
    },
    Sample {
        name: "Trails stopped or changed",
        description: "Calls that stop, delete or change what records events: trails, selectors, event data stores.",
        words: "cloudtrail logging disabled tamper StopLogging DeleteTrail UpdateTrail turned off",
        sql: "SELECT eventTime, userIdentity.arn, eventName, sourceIPAddress, errorCode\n\
              FROM $EDS_ID\n\
              WHERE eventSource = 'cloudtrail.amazonaws.com'\n\
              AND eventName IN ('StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors',\n\
              'DeleteEventDataStore', 'UpdateEventDataStore', 'StopEventDataStoreIngestion')\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "KMS keys disabled or scheduled for deletion",
        description: "Who disabled keys or scheduled their deletion, after which nothing under them can be read.",
        words: "encryption cmk delete destroy",
        sql: "SELECT eventTime, userIdentity.arn, eventName, element_at(requestParameters, 'keyId') AS key\n\
              FROM $EDS_ID\n\
              WHERE eventSource = 'kms.amazonaws.com' AND eventName IN ('DisableKey', 'ScheduleKeyDeletion')\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Roles assumed from other accounts",
        description: "Sessions of roles that principals of other accounts opened, by role and account.",
        words: "cross account AssumeRole sts third party trust",
        sql: "SELECT element_at(requestParameters, 'roleArn') AS role, userIdentity.accountId AS by_account,\n\
              count(*) AS sessions, max(eventTime) AS last\n\
              FROM $EDS_ID\n\
              WHERE eventName = 'AssumeRole' AND userIdentity.accountId IS NOT NULL\n\
              AND userIdentity.accountId <> recipientAccountId\n\
              GROUP BY element_at(requestParameters, 'roleArn'), userIdentity.accountId\n\
              ORDER BY sessions DESC",
    },
    Sample {
        name: "Calls from one address",
        description: "Everything that came from one source address. Parameter: the address.",
        words: "ip source sourceipaddress",
        sql: "SELECT eventTime, userIdentity.arn, eventSource, eventName, errorCode\n\
              FROM $EDS_ID\n\
              WHERE sourceIPAddress = ?\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "New source addresses of a principal",
        description: "Addresses that principals used in the last day and not in the thirty days before.",
        words: "ip unusual anomaly first time never seen",
        sql: "WITH addresses AS (\n\
              SELECT userIdentity.arn AS principal, sourceIPAddress AS address,\n\
              min(eventTime) AS first, max(eventTime) AS last\n\
              FROM $EDS_ID\n\
              WHERE eventTime > date_add('day', -31, now())\n\
              GROUP BY userIdentity.arn, sourceIPAddress)\n\
              SELECT principal, address, first FROM addresses\n\
              WHERE first > date_add('day', -1, now())\n\
              ORDER BY first DESC",
    },
    Sample {
        name: "Calls without TLS 1.2",
        description: "Clients that connect with versions of TLS older than 1.2, by user agent.",
        words: "outdated ssl insecure protocol tlsDetails old",
        sql: "SELECT tlsDetails.tlsVersion AS version, userAgent, eventSource, count(*) AS calls\n\
              FROM $EDS_ID\n\
              WHERE tlsDetails.tlsVersion IN ('TLSv1', 'TLSv1.1')\n\
              GROUP BY tlsDetails.tlsVersion, userAgent, eventSource\n\
              ORDER BY calls DESC",
    },
];
