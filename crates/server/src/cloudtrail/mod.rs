//! CloudTrail: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/>. Each operation is a few
//! lines over `opentrail_trails`, `opentrail_archive` and `opentrail_keyring`.

mod channel;
mod delegated_admin;
mod describe;
mod encryption;
mod event_data_store;
mod import;
mod insights;
mod logging;
mod lookup_events;
mod organization;
mod public_keys;
mod query;
mod resource_policy;
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

pub(crate) use import::ImportBuckets;
pub(crate) use lookup_events::{EventShape, attribute};
pub(crate) use organization::follow as follow_organization;
pub(crate) use resource_policy::{in_force as policy_in_force, keeps_out};

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
        write::<query::cancel::CancelQuery>(),
        write::<channel::change::CreateChannel>(),
        write::<event_data_store::create::CreateEventDataStore>(),
        write::<trail::CreateTrail>(),
        write::<channel::change::DeleteChannel>(),
        write::<event_data_store::delete::DeleteEventDataStore>(),
        write::<resource_policy::DeleteResourcePolicy>(),
        write::<trail::DeleteTrail>(),
        write::<delegated_admin::DeregisterOrganizationDelegatedAdmin>(),
        read::<query::describe::DescribeQuery>(),
        read::<describe::DescribeTrails>(),
        write::<event_data_store::federation::DisableFederation>(),
        write::<event_data_store::federation::EnableFederation>(),
        read::<query::generate::GenerateQuery>(),
        read::<channel::describe::GetChannel>(),
        read::<event_data_store::describe::GetEventDataStore>(),
        read::<selectors::GetEventSelectors>(),
        read::<import::GetImport>(),
        read::<insights::GetInsightSelectors>(),
        read::<query::results::GetQueryResults>(),
        read::<resource_policy::GetResourcePolicy>(),
        read::<describe::GetTrail>(),
        read::<status::GetTrailStatus>(),
        read::<channel::describe::ListChannels>(),
        read::<event_data_store::describe::ListEventDataStores>(),
        read::<import::ListImportFailures>(),
        read::<import::ListImports>(),
        read::<public_keys::ListPublicKeys>(),
        read::<query::list::ListQueries>(),
        read::<tags::ListTags>(),
        read::<describe::ListTrails>(),
        read::<lookup_events::LookupEvents>(),
        write::<selectors::PutEventSelectors>(),
        write::<resource_policy::PutResourcePolicy>(),
        write::<delegated_admin::RegisterOrganizationDelegatedAdmin>(),
        write::<tags::RemoveTags>(),
        write::<event_data_store::delete::RestoreEventDataStore>(),
        read::<query::search::SearchSampleQueries>(),
        write::<event_data_store::ingestion::StartEventDataStoreIngestion>(),
        write::<import::StartImport>(),
        write::<logging::StartLogging>(),
        write::<query::start::StartQuery>(),
        write::<event_data_store::ingestion::StopEventDataStoreIngestion>(),
        write::<import::StopImport>(),
        write::<logging::StopLogging>(),
        write::<channel::change::UpdateChannel>(),
        write::<event_data_store::update::UpdateEventDataStore>(),
        write::<trail::UpdateTrail>(),
    ],
    unsupported: &[
        "CreateDashboard",
        "DeleteDashboard",
        "GetDashboard",
        "GetEventConfiguration",
        "ListDashboards",
        "ListInsightsData",
        "ListInsightsMetricData",
        "PutEventConfiguration",
        "PutInsightSelectors",
        "StartDashboardRefresh",
        "UpdateDashboard",
    ],
};

/// A trail's refusal, as the caller sees it.
fn refused(call: &Call) -> impl Fn(TrailError) -> Fault {
    let dialect = call.dialect();
    move |error| Fault::of_trail(error, dialect)
}
