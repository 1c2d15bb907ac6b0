//! Clients of the services' gRPC doors, each request with somebody's key.

use tocsin_proto::dispatch::v1::alert_service_client::AlertServiceClient;
use tocsin_proto::dispatch::v1::organisation_service_client::OrganisationServiceClient;
use tocsin_proto::intake::v1::intake_service_client::IntakeServiceClient;
use tocsin_proto::notification::v1::contact_service_client::ContactServiceClient;
use tocsin_proto::notification::v1::notice_service_client::NoticeServiceClient;
use tocsin_proto::triage::v1::case_service_client::CaseServiceClient;
use tocsin_proto::triage::v1::key_service_client::KeyServiceClient;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};

use crate::Outcome;
use crate::installation::{Door, Doors};

/// A client for each gRPC service. Connections are made when first used, and again after a restart.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Reports.
    pub intake: IntakeServiceClient<Channel>,
    /// Cases.
    pub cases: CaseServiceClient<Channel>,
    /// Credentials.
    pub keys: KeyServiceClient<Channel>,
    /// The register of organisations.
    pub organisations: OrganisationServiceClient<Channel>,
    /// The feed, responses and coverage.
    pub alerts: AlertServiceClient<Channel>,
    /// Contact points.
    pub contacts: ContactServiceClient<Channel>,
    /// Notices.
    pub notices: NoticeServiceClient<Channel>,
}

impl Clients {
    /// Clients of the services behind these doors.
    pub fn of(doors: &Doors) -> Outcome<Self> {
        Self::over(doors, channel)
    }

    /// The same over connections that the caller makes.
    pub fn over(doors: &Doors, channel: impl Fn(Door) -> Outcome<Channel>) -> Outcome<Self> {
        let (triage, dispatch, notification) =
            (channel(doors.triage)?, channel(doors.dispatch)?, channel(doors.notification)?);
        Ok(Self {
            intake: IntakeServiceClient::new(channel(doors.intake)?),
            cases: CaseServiceClient::new(triage.clone()),
            keys: KeyServiceClient::new(triage),
            organisations: OrganisationServiceClient::new(dispatch.clone()),
            alerts: AlertServiceClient::new(dispatch),
            contacts: ContactServiceClient::new(notification.clone()),
            notices: NoticeServiceClient::new(notification),
        })
    }
}

/// A lazy connection to a service.
pub fn channel(door: Door) -> Outcome<Channel> {
    Ok(Endpoint::from_shared(format!("http://{}", door.grpc))?.connect_lazy())
}

/// A request that carries a key.
pub fn bearing<T>(secret: &str, message: T) -> Outcome<Request<T>> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", MetadataValue::try_from(format!("Bearer {secret}"))?);
    Ok(request)
}
