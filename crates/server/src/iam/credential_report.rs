//! The credential report.

use bytes::Bytes;
use opentrail_identity::credential_report::ReportState;
use opentrail_wire::value::{Blob, Timestamp};
use serde::Serialize;

use super::password_policy::NoInput;
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

/// GenerateCredentialReport
pub(super) struct GenerateCredentialReport;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GenerateCredentialReportOutput {
    state: &'static str,
    description: Option<&'static str>,
}

impl Described for GenerateCredentialReport {
    type Input = NoInput;
    type Output = GenerateCredentialReportOutput;
    const NAME: &'static str = "GenerateCredentialReport";
}

impl Read for GenerateCredentialReport {
    async fn act(_: NoInput, call: &Call) -> Result<GenerateCredentialReportOutput, Fault> {
        let (state, description) =
            match call.rooms.identity.generate_credential_report(call.account, call.arrival.at) {
                ReportState::Started => {
                    ("STARTED", Some("No report exists. Starting a new report generation task"))
                }
                ReportState::Complete => ("COMPLETE", None),
            };
        Ok(GenerateCredentialReportOutput { state, description })
    }
}

/// GetCredentialReport
pub(super) struct GetCredentialReport;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetCredentialReportOutput {
    content: Blob,
    report_format: &'static str,
    generated_time: Timestamp,
}

impl Described for GetCredentialReport {
    type Input = NoInput;
    type Output = GetCredentialReportOutput;
    const NAME: &'static str = "GetCredentialReport";
}

impl Read for GetCredentialReport {
    async fn act(_: NoInput, call: &Call) -> Result<GetCredentialReportOutput, Fault> {
        let report = call.rooms.identity.credential_report(call.account, call.arrival.at);
        let report = report.map_err(|e| call.refused(e))?;
        Ok(GetCredentialReportOutput {
            content: Blob(Bytes::copy_from_slice(report.csv.as_bytes())),
            report_format: "text/csv",
            generated_time: report.generated_at.into(),
        })
    }
}
