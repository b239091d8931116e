//! Answers and errors in each protocol's shape: bodies and their content type; status and headers are the
//! caller's.

use serde_json::json;

use crate::value::{Value, render_text, to_json, to_xml};

/// awsJson's content type.
pub const AWS_JSON: &str = "application/x-amz-json-1.1";
/// restJson's content type.
pub const JSON: &str = "application/json";
/// awsQuery's content type.
pub const QUERY_XML: &str = "text/xml";
/// S3's content type.
pub const S3_XML: &str = "application/xml";

/// An operation's output as JSON; an operation without output answers `{}`.
pub fn json(output: &Value) -> String {
    match output {
        Value::Null => "{}".to_owned(),
        output => to_json(output).to_string(),
    }
}

/// An error as awsJson writes it. Both spellings of the message are there because models differ.
pub fn json_error(code: &str, message: &str) -> String {
    json!({"__type": code, "message": message, "Message": message}).to_string()
}

/// As [`json_error`], for the errors of Organizations that say why by a word of an enumeration.
pub fn json_error_with_reason(code: &str, message: &str, reason: &str) -> String {
    json!({"__type": code, "message": message, "Message": message, "Reason": reason}).to_string()
}

/// An error as the Iceberg REST catalog writes it (its specification, `IcebergErrorResponse`).
pub fn iceberg_error(code: &str, message: &str, status: u16) -> String {
    json!({"error": {"message": message, "type": code, "code": status}}).to_string()
}

/// An operation's output as awsQuery writes it. `Null` is an operation without output.
pub fn query(action: &str, namespace: &str, output: &Value, request_id: &str) -> String {
    let mut xml = format!("<{action}Response xmlns=\"{namespace}\">");
    if *output != Value::Null {
        xml.push_str(&format!("<{action}Result>"));
        to_xml(output, &mut xml);
        xml.push_str(&format!("</{action}Result>"));
    }
    xml.push_str(&format!("<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"));
    xml.push_str(&format!("</{action}Response>"));
    xml
}

/// Who is to blame, in awsQuery's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller.
    Sender,
    /// The service.
    Receiver,
}

/// An error as awsQuery writes it.
pub fn query_error(blame: Blame, code: &str, message: &str, namespace: &str, request_id: &str) -> String {
    let kind = match blame {
        Blame::Sender => "Sender",
        Blame::Receiver => "Receiver",
    };
    let (code, message) = (render_text(code), render_text(message));
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
}

/// An error as S3 writes it.
pub fn s3_error(code: &str, message: &str, resource: &str, request_id: &str, host_id: &str) -> String {
    let (code, message, resource) = (render_text(code), render_text(message), render_text(resource));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <Resource>{resource}</Resource><RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
    )
}

#[cfg(test)]
mod tests {
    use super::{Blame, json, query, query_error, s3_error};
    use crate::value::Value;

    #[test]
    fn a_query_answer_wraps_its_result() {
        let output = Value::Map(vec![("A".into(), Value::Int(1))]);
        assert_eq!(
            query("Get", "urn:x", &output, "id"),
            "<GetResponse xmlns=\"urn:x\"><GetResult><A>1</A></GetResult>\
             <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetResponse>"
        );
        assert!(!query("Delete", "urn:x", &Value::Null, "id").contains("Result"));
        assert_eq!(json(&Value::Null), "{}");
    }

    #[test]
    fn errors_escape_what_callers_sent() {
        assert!(query_error(Blame::Sender, "C", "<&>", "urn:x", "id").contains("&lt;&amp;&gt;"));
        assert!(s3_error("C", "m", "/<bucket>", "id", "host").contains("/&lt;bucket&gt;"));
    }
}
