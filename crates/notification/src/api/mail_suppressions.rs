//! `ListMailSuppressions`, `AddMailSuppression`, `RemoveMailSuppression`: addresses that are not written to.

use sea_orm::{EntityTrait, QueryOrder, QuerySelect};
use tocsin_domain::role::Role;
use tocsin_domain::text::CodeText;
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_platform::pages::{page_size, page_token};
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::mail_suppression_service_server::MailSuppressionService;
use tocsin_proto::notification::v1::{
    AddMailSuppressionRequest, AddMailSuppressionResponse, ListMailSuppressionsRequest, ListMailSuppressionsResponse,
    MailSuppression, RemoveMailSuppressionRequest, RemoveMailSuppressionResponse,
};
use tonic::{Request, Response, Status};

use super::Api;
use crate::changes::{self, By};
use crate::contact::Details;
use crate::entity::contact;
use crate::mail::rows::suppression;
use crate::mail::suppressions::{Kind, lift, suppress};
use crate::office::Office;

#[tonic::async_trait]
impl MailSuppressionService for Api {
    async fn list_mail_suppressions(
        &self,
        request: Request<ListMailSuppressionsRequest>,
    ) -> Result<Response<ListMailSuppressionsResponse>, Status> {
        let roles = [Role::Operator, Role::Coordinator, Role::Administrator];
        let caller = self.credentials.require(request.metadata(), &roles).await?;
        let names = caller.has_any(&[Role::Coordinator, Role::Administrator]);
        Ok(Response::new(list(&self.office, &request.into_inner(), names).await?))
    }

    async fn add_mail_suppression(
        &self,
        request: Request<AddMailSuppressionRequest>,
    ) -> Result<Response<AddMailSuppressionResponse>, Status> {
        let roles = [Role::Coordinator, Role::Administrator];
        let caller = self.credentials.require(request.metadata(), &roles).await?;
        add(&self.office, request.into_inner(), caller.actor.as_str()).await?;
        Ok(Response::new(AddMailSuppressionResponse {}))
    }

    async fn remove_mail_suppression(
        &self,
        request: Request<RemoveMailSuppressionRequest>,
    ) -> Result<Response<RemoveMailSuppressionResponse>, Status> {
        let roles = [Role::Coordinator, Role::Administrator];
        let caller = self.credentials.require(request.metadata(), &roles).await?;
        remove(&self.office, &request.into_inner(), caller.actor.as_str()).await?;
        Ok(Response::new(RemoveMailSuppressionResponse {}))
    }
}

async fn list(
    office: &Office,
    request: &ListMailSuppressionsRequest,
    names: bool,
) -> Result<ListMailSuppressionsResponse, Failure> {
    let size = u64::from(page_size(request.page_size));
    // A position by number: a contact's id in it would be read by whoever may see none.
    let from: u64 = page_token(&request.page_token)?.unwrap_or(0);
    let mut rows = suppression::Entity::find()
        .order_by_asc(suppression::Column::ContactId)
        .offset(from)
        .limit(size + 1)
        .all(office.database.reader())
        .await?;
    let more = u64::try_from(rows.len()).unwrap_or(0) > size;
    if more {
        rows.pop();
    }
    let next_page_token = if more { (from + size).to_string() } else { String::new() };
    let suppressions = rows.into_iter().map(|row| shown(row, names)).collect();
    Ok(ListMailSuppressionsResponse { suppressions, next_page_token })
}

fn shown(row: suppression::Model, names: bool) -> MailSuppression {
    MailSuppression {
        contact_id: if names { row.contact_id } else { String::new() },
        kind: row.kind,
        detail: row.detail,
        since: Some(timestamp(from_ms(row.since_ms))),
        until: row.until_ms.map(|at| timestamp(from_ms(at))),
    }
}

async fn add(office: &Office, request: AddMailSuppressionRequest, actor: &str) -> Result<(), Failure> {
    let reason: CodeText = request.reason.parse().map_err(|error| invalid("reason", format!("{error}")))?;
    let transaction = office.database.begin().await?;
    let row = contact::Entity::find_by_id(request.contact_id.as_str()).one(&transaction).await?;
    let details = row.and_then(|row| Details::open(office.secrets.contact_key(), &row.contact_id, &row.sealed).ok());
    let details = details.filter(|details| !details.email.is_empty()).ok_or_else(no_contact)?;
    let subject = format!("contact {}", request.contact_id);
    let by = By { actor, reason: reason.as_str() };
    changes::record(&transaction, office, &by, "suppression.add", &subject).await?;
    let row = suppression::Model {
        contact_id: request.contact_id,
        address_mac: office.secrets.address_mac(&details.email),
        kind: Kind::ByHand.as_str().to_owned(),
        detail: reason.as_str().to_owned(),
        since_ms: office.clock.now_ms(),
        until_ms: None,
    };
    if !suppress(&transaction, row).await? {
        return Err(Failure::refused(
            "UNSUBSCRIBED",
            "this contact has unsubscribed from e-mail, which stands above a suppression by hand: nothing was changed",
        ));
    }
    tocsin_platform::database::commit(transaction, "notification.suppress_address").await?;
    Ok(())
}

async fn remove(office: &Office, request: &RemoveMailSuppressionRequest, actor: &str) -> Result<(), Failure> {
    let reason = match request.reason.as_str() {
        "" => String::new(),
        given => changes::reason(given)?.to_string(),
    };
    let transaction = office.database.begin().await?;
    if !lift(&transaction, &request.contact_id).await? {
        return Err(Failure::not_found("NO_SUPPRESSION", "the e-mail of this contact is not suppressed"));
    }
    let subject = format!("contact {}", request.contact_id);
    let by = By { actor, reason: &reason };
    changes::record(&transaction, office, &by, "suppression.remove", &subject).await?;
    tocsin_platform::database::commit(transaction, "notification.lift_suppression").await?;
    Ok(())
}

fn no_contact() -> Failure {
    Failure::not_found("NO_CONTACT", "there is no such contact with an e-mail address")
}

fn invalid(field: &str, description: impl Into<String>) -> Failure {
    Failure::invalid("INVALID_REQUEST", "the request cannot be read").field(field, description)
}
