//! The table, its two wire forms, and what a client reads back.

use std::time::Duration;

use axum::response::IntoResponse;
use http_body_util::BodyExt;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt};

use super::*;

fn sample() -> Failure {
    Failure::invalid("REPORT_INVALID", "two fields are wrong; correct them and send the report again")
        .field("kinds[0]", "`killling` is not known; did you mean `killing`?")
        .field("country", "must be two capital letters")
        .retry_after(Duration::from_millis(1500))
}

#[test]
fn every_class_has_its_row() {
    let expect = [
        (FailureCode::Invalid, Code::InvalidArgument, 400, false),
        (FailureCode::Mismatch, Code::InvalidArgument, 422, false),
        (FailureCode::NotFound, Code::NotFound, 404, false),
        (FailureCode::Refused, Code::FailedPrecondition, 409, false),
        (FailureCode::Forbidden, Code::PermissionDenied, 403, false),
        (FailureCode::Unauthenticated, Code::Unauthenticated, 401, false),
        (FailureCode::Conflict, Code::AlreadyExists, 409, false),
        (FailureCode::Unavailable, Code::Unavailable, 503, true),
        (FailureCode::Internal, Code::Internal, 500, false),
        (FailureCode::TooLarge, Code::InvalidArgument, 413, false),
        (FailureCode::UnsupportedMedia, Code::InvalidArgument, 415, false),
        (FailureCode::Exhausted, Code::ResourceExhausted, 429, true),
        (FailureCode::OutOfRange, Code::OutOfRange, 410, false),
        (FailureCode::Aborted, Code::Aborted, 409, true),
        (FailureCode::TimedOut, Code::DeadlineExceeded, 504, true),
    ];
    assert_eq!(expect.map(|row| row.0), FailureCode::ALL);
    for (code, grpc, http, retryable) in expect {
        assert_eq!((code.grpc(), code.http().as_u16(), code.retryable()), (grpc, http, retryable), "{code:?}");
    }
}

#[test]
fn a_status_reads_back_as_it_was_sent() {
    let read = received(&Status::from(sample()));
    assert_eq!(read.code, Code::InvalidArgument);
    assert_eq!(read.reason, "REPORT_INVALID");
    assert_eq!(read.fields, sample().fields);
    assert_eq!(read.retry_after, Some(Duration::from_millis(1500)));
    assert!(!read.retryable);
    assert!(read.request_id.is_some_and(|id| id.parse::<uuid::Uuid>().is_ok()));
}

#[test]
fn a_status_of_a_stranger_reads_without_details() {
    let read = received(&Status::unavailable("connection refused"));
    assert_eq!(read.reason, "");
    assert!(read.retryable);
    assert!(read.fields.is_empty() && read.request_id.is_none());
}

#[tokio::test]
async fn a_problem_names_the_fields_and_the_request() {
    let service = RequestIdLayer.layer(tower::service_fn(|_request: ::http::Request<()>| async {
        Ok::<_, std::convert::Infallible>(sample().into_response())
    }));
    let response = service.oneshot(::http::Request::new(())).await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["retry-after"], "2");
    let id = response.headers()[REQUEST_ID_HEADER].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        problem,
        serde_json::json!({
            "type": "urn:tocsin:problem:REPORT_INVALID",
            "title": "The request is not valid",
            "status": 400,
            "detail": "two fields are wrong; correct them and send the report again",
            "instance": format!("urn:uuid:{id}"),
            "reason": "REPORT_INVALID",
            "retryable": false,
            "errors": [
                {"field": "kinds[0]", "detail": "`killling` is not known; did you mean `killing`?"},
                {"field": "country", "detail": "must be two capital letters"},
            ],
        })
    );
}

#[test]
fn a_database_error_says_nothing_of_what_it_quotes() {
    let failure = Failure::from(DbErr::Custom("near \"Maria\": syntax error".to_owned()));
    assert_eq!(failure.code, FailureCode::Internal);
    let status = Status::from(failure);
    assert!(!status.message().contains("Maria"));
    assert!(!String::from_utf8_lossy(status.details()).contains("Maria"));
}
