//! The two questions that triage asks before a release: dispatch whom it would reach, notification what each would read.
//! They are asked in the caller's own name, so that a peer judges the same key.

use std::time::Duration;

use tocsin_domain::audience::Audience;
use tocsin_platform::failure::Failure;
use tocsin_proto::dispatch::v1::alert_service_client::AlertServiceClient;
use tocsin_proto::dispatch::v1::{PreviewAudienceRequest, PreviewAudienceResponse};
use tocsin_proto::notification::v1::notice_service_client::NoticeServiceClient;
use tocsin_proto::notification::v1::{PreviewNoticesRequest, PreviewNoticesResponse};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::error::TriageError;

/// dispatch and notification, as far as triage asks them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Peers {
    dispatch: AlertServiceClient<Channel>,
    notification: NoticeServiceClient<Channel>,
    time_max: Duration,
}

impl Peers {
    pub(crate) fn new(dispatch: Channel, notification: Channel, time_max: Duration) -> Self {
        Self {
            dispatch: AlertServiceClient::new(dispatch),
            notification: NoticeServiceClient::new(notification),
            time_max,
        }
    }

    /// Whom an alert would reach.
    pub(crate) async fn audience(
        &self,
        caller: &MetadataMap,
        question: PreviewAudienceRequest,
    ) -> Result<PreviewAudienceResponse, TriageError> {
        let request = self.request(caller, question);
        let mut dispatch = self.dispatch.clone();
        self.answered("dispatch", dispatch.preview_audience(request)).await
    }

    /// What each contact would literally read.
    pub(crate) async fn notices(
        &self,
        caller: &MetadataMap,
        question: PreviewNoticesRequest,
    ) -> Result<PreviewNoticesResponse, TriageError> {
        let request = self.request(caller, question);
        let mut notification = self.notification.clone();
        self.answered("notification", notification.preview_notices(request)).await
    }

    fn request<T>(&self, caller: &MetadataMap, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.time_max);
        for name in ["authorization", "traceparent"] {
            if let Some(value) = caller.get(name) {
                request.metadata_mut().insert(name, value.clone());
            }
        }
        request
    }

    async fn answered<T>(
        &self,
        peer: &'static str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, TriageError> {
        match tokio::time::timeout(self.time_max, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(refused(peer, &status).into()),
            Err(_) => Err(away(peer).into()),
        }
    }
}

fn away(peer: &str) -> Failure {
    Failure::unavailable("PEER_AWAY", format!("{peer} did not answer; try again shortly"))
        .retry_after(Duration::from_secs(1))
}

fn refused(peer: &'static str, status: &Status) -> Failure {
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => Failure::forbidden(
            "PEER_REFUSED",
            format!("{peer} does not accept this key for the question before a release"),
        ),
        Code::InvalidArgument | Code::Internal | Code::Unimplemented => {
            tracing::error!(service = peer, code = ?status.code(), "a peer refused the question before a release");
            Failure::internal("PEER_FAILED")
        }
        _ => away(peer),
    }
}

/// The domain's view of dispatch's answer.
pub(crate) fn audience(answer: &PreviewAudienceResponse) -> Result<Audience, TriageError> {
    let parsed = |ids: &[String]| {
        ids.iter()
            .map(|id| id.parse().map_err(|_| TriageError::Foreign("an organisation id from dispatch")))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Audience {
        chosen: parsed(&answer.organisation_ids)?,
        without_clearance: parsed(&answer.without_clearance)?,
        left_out: Vec::new(),
    })
}
