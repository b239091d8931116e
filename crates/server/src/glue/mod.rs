//! The Iceberg REST catalog of event data stores whose federation is on, so that other engines read the same tables:
//! <https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml>.
//!
//! It is signed for as AWS Glue, whose Iceberg endpoint (<https://docs.aws.amazon.com/glue/latest/dg/connect-glu-iceberg-rest.html>)
//! federation means there, and asks Glue's permissions: `glue:GetCatalog`, `glue:GetDatabases`, `glue:GetDatabase`,
//! `glue:GetTables`, `glue:GetTable`. Whom the store's own policy denies its events reads no table either. It only reads.
//! The files that tables name are handed out by S3's door, see `s3/lake_files.rs`.

mod catalog;
mod database;
mod table;

use http::Method;
use opentrail_wire::value::RecordTimes;
use serde_json::{Map, Value};

use crate::{operation::read, service::Service};

pub(crate) static SERVICE: Service = Service {
    name: "glue",
    event_source: "glue.amazonaws.com",
    dialect: crate::fault::Dialect::Iceberg,
    namespace: "",
    global: false,
    record_times: RecordTimes::Iso,
    follow: None,
    operations: &[
        read::<catalog::GetCatalog>(),
        read::<database::GetDatabase>(),
        read::<database::GetDatabases>(),
        read::<table::GetTable>(),
        read::<table::GetTables>(),
    ],
    unsupported: &[
        "BatchCreatePartition",
        "CreateDatabase",
        "CreateTable",
        "DeleteDatabase",
        "DeleteTable",
        "UpdateDatabase",
        "UpdateTable",
    ],
};

/// Where the catalog is: what clients call its URI.
const ROOT: &str = "/iceberg/v1/";
pub(crate) use table::is_readable;

/// Levels of a namespace are parted by this in a path.
const LEVELS: char = '\u{1f}';

/// What a request asks of the catalog.
pub(crate) struct Route {
    /// The operation's name.
    pub(crate) operation: &'static str,
    /// What the path and the query say.
    pub(crate) input: Map<String, Value>,
}

/// Whether a path is the catalog's.
pub(crate) fn is_below(path: &str) -> bool {
    path.starts_with(ROOT)
}

/// The operation behind a request: `Err` where the catalog has the path and can't do that with it, `None` where there
/// is no such path. `query` are the parameters, decoded.
pub(crate) fn routed(
    method: &Method,
    path: &str,
    query: &[(String, String)],
) -> Option<Result<Route, &'static str>> {
    let decoded = path.strip_prefix(ROOT)?.split('/').map(|part| {
        percent_encoding::percent_decode_str(part).decode_utf8().map(std::borrow::Cow::into_owned).ok()
    });
    let parts: Vec<String> = decoded.collect::<Option<_>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (reads, writes, named): (_, _, &[(&str, &str)]) = match parts.as_slice() {
        ["config"] => ("GetCatalog", "UpdateCatalog", &[]),
        ["namespaces"] => ("GetDatabases", "CreateDatabase", &[]),
        ["namespaces", namespace] => ("GetDatabase", "DeleteDatabase", &[("namespace", namespace)]),
        ["namespaces", namespace, "properties"] => ("", "UpdateDatabase", &[("namespace", namespace)]),
        ["namespaces", namespace, "tables"] => ("GetTables", "CreateTable", &[("namespace", namespace)]),
        ["namespaces", namespace, "register"] => ("", "CreateTable", &[("namespace", namespace)]),
        ["namespaces", namespace, "tables", table] => {
            ("GetTable", "UpdateTable", &[("namespace", namespace), ("table", table)])
        }
        ["tables", "rename"] => ("", "UpdateTable", &[]),
        _ => return None,
    };
    let is_read = matches!(*method, Method::GET | Method::HEAD) && !reads.is_empty();
    if !is_read {
        return Some(Err(writes));
    }
    let given =
        query.iter().filter(|(name, _)| ["parent", "warehouse", "snapshots"].contains(&name.as_str()));
    let given = given.map(|(name, value)| (name.clone(), Value::String(value.clone())));
    let named = named.iter().map(|(name, value)| ((*name).to_owned(), Value::String((*value).to_owned())));
    Some(Ok(Route { operation: reads, input: named.chain(given).collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: Method, path: &str) -> Option<Result<&'static str, &'static str>> {
        routed(&method, path, &[]).map(|routed| routed.map(|route| route.operation))
    }

    #[test]
    fn the_catalog_reads_and_does_not_write() {
        let tables = "/iceberg/v1/namespaces/aws%3Acloudtrail/tables";
        assert_eq!(operation(Method::GET, tables), Some(Ok("GetTables")));
        assert_eq!(operation(Method::POST, tables), Some(Err("CreateTable")));
        assert_eq!(operation(Method::HEAD, &format!("{tables}/t")), Some(Ok("GetTable")));
        assert_eq!(operation(Method::DELETE, &format!("{tables}/t")), Some(Err("UpdateTable")));
        assert_eq!(operation(Method::GET, "/iceberg/v1/views"), None);
        assert_eq!(operation(Method::GET, "/iceberg/v2/config"), None);
    }

    #[test]
    fn names_are_decoded() {
        let path = "/iceberg/v1/namespaces/aws%3Acloudtrail/tables/a%2Fb";
        let Some(Ok(route)) = routed(&Method::GET, path, &[]) else { panic!("no route") };
        assert_eq!(
            Value::Object(route.input),
            serde_json::json!({"namespace": "aws:cloudtrail", "table": "a/b"})
        );
    }
}
