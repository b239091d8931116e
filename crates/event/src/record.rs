//! The records that our own services write.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    AccountId, Category, Event, EventError, Region, UserIdentity,
    record_limits::{MAX_ADDITIONAL_DATA, MAX_PARAMETERS, MAX_TEXT, bound_text, bound_value},
};

/// A CloudTrail record of version 1.11, members in AWS's order.
///
/// Members that AWS leaves out when they do not apply are left out when `None`; `requestParameters` and
/// `responseElements` are then `null`, as AWS has them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The version of the format.
    pub event_version: &'static str,
    /// Who made the call.
    pub user_identity: UserIdentity,
    /// When the call was completed; written in whole seconds.
    #[serde(serialize_with = "seconds")]
    pub event_time: DateTime<Utc>,
    /// The service, such as `iam.amazonaws.com`.
    pub event_source: String,
    /// The operation.
    pub event_name: String,
    /// The region the call was made in; `us-east-1` for global services.
    pub aws_region: Region,
    /// The address the call came from; for a call by a service, its DNS name.
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: String,
    /// The program that made the call; at most 1 KB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// AWS's code of the error, when the call failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What the caller was told of the error; at most 1 KB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The call's parameters; at most 100 KB.
    pub request_parameters: Option<Value>,
    /// The answer to a call that changes something; at most 100 KB.
    pub response_elements: Option<Value>,
    /// What is neither in the request nor in the response; at most 28 KB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_event_data: Option<Value>,
    /// The request's id, as the caller got it.
    #[serde(rename = "requestID", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The event's id.
    #[serde(rename = "eventID")]
    pub event_id: Uuid,
    /// Whether the operation changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// The resources that the call accessed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<RecordResource>,
    /// `AwsApiCall`, `AwsServiceEvent`, `AwsConsoleSignIn`, …
    pub event_type: &'static str,
    /// The version of the service's API, where the service writes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Whether this is a management event.
    pub management_event: bool,
    /// The account that gets this event: the caller's, or for access across accounts the resource's.
    pub recipient_account_id: AccountId,
    /// What a service event has to say; at most 100 KB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_event_details: Option<Value>,
    /// What the events of one call in several accounts have in common.
    #[serde(rename = "sharedEventID", skip_serializing_if = "Option::is_none")]
    pub shared_event_id: Option<Uuid>,
    /// The VPC endpoint that the call came through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<String>,
    /// The account of that endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_account_id: Option<AccountId>,
    /// The event's category.
    pub event_category: Category,
    /// Why an event came late or was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addendum: Option<Value>,
    /// How the connection was secured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_details: Option<TlsDetails>,
    /// `true` when the credentials came from a session in the console; absent otherwise.
    #[serde(serialize_with = "true_text", skip_serializing_if = "is_false")]
    pub session_credential_from_console: bool,
    /// Tags and condition keys that enrich the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_context: Option<Value>,
}

/// A resource that a call accessed: an element of `resources`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordResource {
    /// The account that owns the resource.
    #[serde(rename = "accountId", skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// The type, such as `AWS::S3::Object`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The resource's ARN. A text, because the key of an object may be longer or stranger than what
    /// [`crate::Arn`] takes.
    #[serde(rename = "ARN", skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// What the ARNs of all objects that the call listed begin with.
    #[serde(rename = "ARNPrefix", skip_serializing_if = "Option::is_none")]
    pub arn_prefix: Option<String>,
}

impl RecordResource {
    /// A resource of this type with this ARN.
    pub fn new(kind: impl Into<String>, arn: impl Into<String>, account: Option<AccountId>) -> Self {
        Self { account_id: account, kind: Some(kind.into()), arn: Some(arn.into()), arn_prefix: None }
    }
}

/// How the connection was secured: `tlsDetails`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsDetails {
    /// `TLSv1.3`, …; absent on a connection without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<String>,
    /// The cipher suite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher_suite: Option<String>,
    /// The host name the client used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_provided_host_header: Option<String>,
}

impl Record {
    /// The version of the format that we write.
    pub const VERSION: &'static str = "1.11";

    /// The record of a call that succeeded and of which nothing more is known: a management event of type
    /// `AwsApiCall`. What else is known is set in its fields.
    pub fn new(
        event_id: Uuid,
        event_time: DateTime<Utc>,
        user_identity: UserIdentity,
        event_source: impl Into<String>,
        event_name: impl Into<String>,
        aws_region: Region,
        recipient: AccountId,
    ) -> Self {
        Self {
            event_version: Self::VERSION,
            user_identity,
            event_time,
            event_source: event_source.into(),
            event_name: event_name.into(),
            aws_region,
            source_ip_address: String::new(),
            user_agent: None,
            error_code: None,
            error_message: None,
            request_parameters: None,
            response_elements: None,
            additional_event_data: None,
            request_id: None,
            event_id,
            read_only: None,
            resources: Vec::new(),
            event_type: "AwsApiCall",
            api_version: None,
            management_event: true,
            recipient_account_id: recipient,
            service_event_details: None,
            shared_event_id: None,
            vpc_endpoint_id: None,
            vpc_endpoint_account_id: None,
            event_category: Category::Management,
            addendum: None,
            tls_details: None,
            session_credential_from_console: false,
            event_context: None,
        }
    }

    /// Makes it a data event.
    pub fn into_data_event(mut self) -> Self {
        self.management_event = false;
        self.event_category = Category::Data;
        self
    }

    /// The event of this record. Fields that are larger than AWS allows are cut or omitted first.
    ///
    /// # Errors
    /// [`EventError`] when a name is empty or the whole is too large in spite of its fields' limits.
    pub fn into_event(mut self) -> Result<Event, EventError> {
        bound_value(&mut self.request_parameters, "requestParameters", MAX_PARAMETERS);
        bound_value(&mut self.response_elements, "responseElements", MAX_PARAMETERS);
        bound_value(&mut self.service_event_details, "serviceEventDetails", MAX_PARAMETERS);
        bound_value(&mut self.additional_event_data, "additionalEventData", MAX_ADDITIONAL_DATA);
        bound_text(&mut self.error_message, MAX_TEXT);
        bound_text(&mut self.user_agent, MAX_TEXT);
        let json = serde_json::to_vec(&self).map_err(|_| EventError::Unwritable)?;
        Event::parse(Bytes::from(json))
    }
}

fn seconds<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// AWS writes this boolean as a text.
fn true_text<S: Serializer>(_: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("true")
}

fn is_false(value: &bool) -> bool {
    !value
}
