//! The services that a warehouse may be in: their clients, made as the environment says, and how tables' metadata names
//! what is in them.
//!
//! Settings have the names that each service's own tools read, and those of `object_store`, whose builders read most of
//! them:
//!
//! - S3: `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, … (`AmazonS3ConfigKey` has them all).
//! - Azure: `AZURE_STORAGE_ACCOUNT`, `AZURE_STORAGE_KEY`, `AZURE_STORAGE_SAS_TOKEN` and `AZURE_STORAGE_CONNECTION_STRING`,
//!   which `az storage` reads; `AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_CLIENT_SECRET` and `AZURE_FEDERATED_TOKEN_FILE`,
//!   which Azure's SDKs read; `AZURE_STORAGE_ENDPOINT` (`AzureConfigKey` has them all). With none, the machine's managed
//!   identity.
//! - Google: `GOOGLE_APPLICATION_CREDENTIALS`, `GOOGLE_SERVICE_ACCOUNT_KEY`, `GOOGLE_BASE_URL` (`GoogleConfigKey` has them
//!   all), and `STORAGE_EMULATOR_HOST`, with which Google's libraries go to an emulator, without credentials. With none,
//!   what `gcloud auth application-default login` left, or the machine's service account.

use std::sync::Arc;

use object_store::{
    ObjectStore, StaticCredentialProvider,
    aws::AmazonS3Builder,
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GcpCredential, GoogleCloudStorageBuilder},
};

use super::{Location, StorageAccount, location::PUBLIC_CLOUD};
use crate::LakeError;

/// The account that Azure's emulators have, where no other is named.
const EMULATED_ACCOUNT: &str = "devstoreaccount1";

/// Settings, by name. Those that are empty are not there.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A service's client.
pub(super) struct Service {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The URI of its root, without a slash at the end.
    pub(super) root: String,
}

/// A setting of the process.
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A bucket of a service that speaks S3.
pub(super) fn s3(bucket: &str) -> Result<Service, LakeError> {
    let endpoint = setting("AWS_ENDPOINT_URL_S3").or_else(|| setting("AWS_ENDPOINT_URL"));
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    if let Some(endpoint) = endpoint {
        builder = builder.with_allow_http(is_http(&endpoint)).with_endpoint(endpoint);
    }
    Ok(Service { store: Arc::new(builder.build()?), root: format!("s3://{bucket}") })
}

fn is_http(endpoint: &str) -> bool {
    endpoint.starts_with("http://")
}

/// A bucket of Google Cloud Storage.
pub(super) fn google(bucket: &str) -> Result<Service, LakeError> {
    let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
    if let Some(host) = setting("STORAGE_EMULATOR_HOST") {
        let url = if host.contains("://") { host } else { format!("http://{host}") };
        let nobody = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
        builder = builder.with_base_url(url.trim_end_matches('/')).with_credentials(Arc::new(nobody));
    }
    Ok(Service { store: Arc::new(builder.build()?), root: format!("gs://{bucket}") })
}

/// A container of Azure, and its account, where that is told.
///
/// Files are called `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/…`, however the location was written: that is the one
/// form that Iceberg's own library (Spark, Flink, Trino), Hadoop, adlfs (pyiceberg), `object_store` (Polars, DataFusion) and
/// DuckDB all read. `az://CONTAINER/…` does not say which account, and the first two don't know it.
pub(super) fn azure(container: &str, account: Option<&StorageAccount>) -> Result<Service, LakeError> {
    azure_with(container, account, MicrosoftAzureBuilder::from_env(), &setting)
}

/// `builder` has what `object_store` reads from the environment; the rest is read here.
fn azure_with(
    container: &str,
    account: Option<&StorageAccount>,
    builder: MicrosoftAzureBuilder,
    environment: Environment<'_>,
) -> Result<Service, LakeError> {
    let refused = |reason: &str| Location::refused(&format!("az://{container}"), reason);
    let connection = match environment("AZURE_STORAGE_CONNECTION_STRING") {
        Some(text) => Connection::parse(&text)
            .ok_or_else(|| refused("AZURE_STORAGE_CONNECTION_STRING is no connection string"))?,
        None => Connection::default(),
    };
    let mut builder = builder.with_container_name(container);
    if connection.is_emulator {
        builder = builder.with_use_emulator(true);
    }
    let mut fill = |key: AzureConfigKey, values: [Option<String>; 2]| {
        let known = builder.get_config_value(&key).filter(|value| !value.is_empty());
        let value = known.or_else(|| values.into_iter().flatten().next());
        if let Some(value) = &value {
            builder = std::mem::take(&mut builder).with_config(key, value);
        }
        value
    };
    let configured =
        fill(AzureConfigKey::AccountName, [environment("AZURE_STORAGE_ACCOUNT"), connection.account]);
    fill(AzureConfigKey::AccessKey, [environment("AZURE_STORAGE_KEY"), connection.key]);
    fill(AzureConfigKey::SasKey, [None, connection.sas]);
    let elsewhere = account.filter(|account| account.cloud != PUBLIC_CLOUD);
    let host = elsewhere.map(|account| format!("https://{}.blob.{}", account.name, account.cloud));
    let endpoint = fill(AzureConfigKey::Endpoint, [connection.endpoint, host]);
    let emulator = builder.get_config_value(&AzureConfigKey::UseEmulator);

    let named = account.map(|account| account.name.clone());
    if let (Some(named), Some(configured)) = (&named, &configured)
        && named != configured
    {
        return Err(refused(
            "it names another storage account than the environment, which has its credentials",
        ));
    }
    let emulated = emulator.filter(|value| value == "true").map(|_| EMULATED_ACCOUNT.to_owned());
    let name = named.or(configured).or(emulated).ok_or_else(|| {
        refused(
            "its storage account is not known: set AZURE_STORAGE_ACCOUNT, or write \
             abfss://container@account.dfs.core.windows.net/prefix",
        )
    })?;
    let cloud = account.map(|account| account.cloud.as_str());
    let cloud = cloud.or_else(|| cloud_of(endpoint.as_deref()?, &name)).unwrap_or(PUBLIC_CLOUD);
    let root = format!("abfss://{container}@{name}.dfs.{cloud}");
    builder = builder.with_account(name);
    if let Some(endpoint) = endpoint {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        builder = builder.with_allow_http(is_http(&endpoint)).with_endpoint(endpoint);
    }
    Ok(Service { store: Arc::new(builder.build()?), root })
}

/// What follows `ACCOUNT.blob.` in an endpoint's host; `None` for hosts of other forms, such as an emulator's.
fn cloud_of<'a>(endpoint: &'a str, account: &str) -> Option<&'a str> {
    let (_, host) = endpoint.split_once("://")?;
    let host = host.split(['/', ':']).next()?;
    host.strip_prefix(account)?.strip_prefix(".blob.")
}

/// What a connection string of a storage account says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Connection {
    account: Option<String>,
    key: Option<String>,
    sas: Option<String>,
    endpoint: Option<String>,
    is_emulator: bool,
}

impl Connection {
    /// <https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string>
    fn parse(text: &str) -> Option<Self> {
        let mut found = Self::default();
        let (mut protocol, mut suffix) = ("https", None);
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            match name.to_ascii_lowercase().as_str() {
                "accountname" => found.account = Some(value.to_owned()),
                "accountkey" => found.key = Some(value.to_owned()),
                "sharedaccesssignature" => found.sas = Some(value.to_owned()),
                "blobendpoint" => found.endpoint = Some(value.to_owned()),
                "endpointsuffix" => suffix = Some(value),
                "defaultendpointsprotocol" => protocol = value,
                "usedevelopmentstorage" => found.is_emulator = value.eq_ignore_ascii_case("true"),
                // Endpoints of other services, and what is not known here.
                _ => {}
            }
        }
        if let (None, Some(account), Some(suffix)) = (&found.endpoint, &found.account, suffix) {
            found.endpoint = Some(format!("{protocol}://{account}.blob.{suffix}"));
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2VjcmV0";

    fn root(location: &str, settings: &[(&str, &str)]) -> Result<String, LakeError> {
        let environment = |name: &str| {
            settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let mut builder = MicrosoftAzureBuilder::new();
        for (name, value) in settings {
            if let Ok(key) = name.to_lowercase().parse() {
                builder = builder.with_config(key, *value);
            }
        }
        let Location::Azure { container, account, .. } = location.parse()? else { panic!("{location}") };
        azure_with(&container, account.as_ref(), builder, &environment).map(|service| service.root)
    }

    #[test]
    fn files_in_azure_have_the_name_that_all_engines_read() {
        let name = "abfss://audit@logs1.dfs.core.windows.net";
        let of_az = [("AZURE_STORAGE_ACCOUNT", "logs1"), ("AZURE_STORAGE_KEY", KEY)];
        assert_eq!(root("az://audit/lake", &of_az).unwrap(), name);
        let of_object_store = [("AZURE_STORAGE_ACCOUNT_NAME", "logs1"), ("AZURE_STORAGE_ACCOUNT_KEY", KEY)];
        assert_eq!(root("az://audit/lake", &of_object_store).unwrap(), name);
        assert_eq!(root("wasbs://audit@logs1.blob.core.windows.net/lake", &[]).unwrap(), name);
        let other = [("AZURE_STORAGE_ACCOUNT", "other"), ("AZURE_STORAGE_KEY", KEY)];
        for (location, settings) in
            [("abfss://audit@logs1.dfs.core.windows.net/lake", &other[..]), ("az://audit", &[])]
        {
            assert!(matches!(root(location, settings), Err(LakeError::Location { .. })), "{location}");
        }
    }

    #[test]
    fn the_cloud_is_the_accounts() {
        let name = "abfss://audit@logs1.dfs.core.usgovcloudapi.net";
        assert_eq!(root("abfss://audit@logs1.dfs.core.usgovcloudapi.net/lake", &[]).unwrap(), name);
        let endpoint = ("AZURE_STORAGE_ENDPOINT", "https://logs1.blob.core.usgovcloudapi.net/");
        assert_eq!(root("az://audit/", &[("AZURE_STORAGE_ACCOUNT", "logs1"), endpoint]).unwrap(), name);
        let text = format!("AccountName=logs1;AccountKey={KEY};EndpointSuffix=core.usgovcloudapi.net");
        assert_eq!(root("az://audit/", &[("AZURE_STORAGE_CONNECTION_STRING", &text)]).unwrap(), name);
    }

    #[test]
    fn an_emulators_account_is_named_like_any_other() {
        let name = "abfss://audit@devstoreaccount1.dfs.core.windows.net";
        let emulator = [("AZURE_STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true")];
        assert_eq!(root("az://audit", &emulator).unwrap(), name);
        assert_eq!(root("az://audit", &[("AZURE_STORAGE_USE_EMULATOR", "true")]).unwrap(), name);
        let text = format!(
            "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};\
             BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
        );
        assert_eq!(root("az://audit", &[("AZURE_STORAGE_CONNECTION_STRING", &text)]).unwrap(), name);
    }

    #[test]
    fn connection_strings_are_read_as_azure_writes_them() {
        let text = "DefaultEndpointsProtocol=https;AccountName=logs1;AccountKey=a+b/c==;EndpointSuffix=core.windows.net";
        let expected = Connection {
            account: Some("logs1".into()),
            key: Some("a+b/c==".into()),
            endpoint: Some("https://logs1.blob.core.windows.net".into()),
            ..Connection::default()
        };
        assert_eq!(Connection::parse(text), Some(expected));
        let text = "BlobEndpoint=https://logs1.blob.core.windows.net;SharedAccessSignature=sv=2022&sig=x%3D";
        let expected = Connection {
            sas: Some("sv=2022&sig=x%3D".into()),
            endpoint: Some("https://logs1.blob.core.windows.net".into()),
            ..Connection::default()
        };
        assert_eq!(Connection::parse(text), Some(expected));
        assert_eq!(Connection::parse("nonsense"), None);
    }
}
