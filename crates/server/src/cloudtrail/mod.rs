//! CloudTrail: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/>. Each operation is a few
//! lines over `opentrail_trails`, `opentrail_archive` and `opentrail_keyring`.

mod delegated_admin;
mod describe;
mod encryption;
mod insights;
mod logging;
mod lookup_events;
mod organization;
mod public_keys;
mod selectors;
mod shape;
mod status;
mod tags;
mod token;
mod trail;

use opentrail_trails::TrailError;
use opentrail_wire::value::RecordTimes;

use crate::{
    call::Call,
    fault::{Dialect, Fault},
    operation::{read, write},
    service::Service,
};

pub(crate) use lookup_events::{EventShape, attribute};
pub(crate) use organization::follow as follow_organization;

/// CloudTrail, as the door knows it.
pub(crate) static SERVICE: Service = Service {
    name: "cloudtrail",
    event_source: "cloudtrail.amazonaws.com",
    dialect: Dialect::Json,
    namespace: "",
    global: false,
    record_times: RecordTimes::Iso,
    follow: None,
    operations: &[
        write::<tags::AddTags>(),
        write::<trail::CreateTrail>(),
        write::<trail::DeleteTrail>(),
        write::<delegated_admin::DeregisterOrganizationDelegatedAdmin>(),
        read::<describe::DescribeTrails>(),
        read::<selectors::GetEventSelectors>(),
        read::<insights::GetInsightSelectors>(),
        read::<describe::GetTrail>(),
        read::<status::GetTrailStatus>(),
        read::<public_keys::ListPublicKeys>(),
        read::<tags::ListTags>(),
        read::<describe::ListTrails>(),
        read::<lookup_events::LookupEvents>(),
        write::<selectors::PutEventSelectors>(),
        write::<delegated_admin::RegisterOrganizationDelegatedAdmin>(),
        write::<tags::RemoveTags>(),
        write::<logging::StartLogging>(),
        write::<logging::StopLogging>(),
        write::<trail::UpdateTrail>(),
    ],
    unsupported: &[
        "CancelQuery",
        "CreateChannel",
        "CreateDashboard",
        "CreateEventDataStore",
        "DeleteChannel",
        "DeleteDashboard",
        "DeleteEventDataStore",
        "DeleteResourcePolicy",
        "DescribeQuery",
        "DisableFederation",
        "EnableFederation",
        "GenerateQuery",
        "GetChannel",
        "GetDashboard",
        "GetEventConfiguration",
        "GetEventDataStore",
        "GetImport",
        "GetQueryResults",
        "GetResourcePolicy",
        "ListChannels",
        "ListDashboards",
        "ListEventDataStores",
        "ListImportFailures",
        "ListImports",
        "ListInsightsData",
        "ListInsightsMetricData",
        "ListQueries",
        "PutEventConfiguration",
        "PutInsightSelectors",
        "PutResourcePolicy",
        "RestoreEventDataStore",
        "SearchSampleQueries",
        "StartDashboardRefresh",
        "StartEventDataStoreIngestion",
        "StartImport",
        "StartQuery",
        "StopEventDataStoreIngestion",
        "StopImport",
        "UpdateChannel",
        "UpdateDashboard",
        "UpdateEventDataStore",
    ],
};

/// A trail's refusal, as the caller sees it.
fn refused(call: &Call) -> impl Fn(TrailError) -> Fault {
    let dialect = call.dialect();
    move |error| Fault::of_trail(error, dialect)
}
