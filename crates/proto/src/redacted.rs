//! `Debug` for messages that hold somebody's words, address or secret: the name of the type and nothing else, so that a
//! careless log line or error can never carry them.

use std::fmt;

macro_rules! redacted {
    ($($package:ident :: $message:ident),+ $(,)?) => {
        $(
            impl fmt::Debug for crate::$package::v1::$message {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str(concat!(stringify!($message), " [redacted]"))
                }
            }
        )+
    };
}

redacted!(
    common::AlertText,
    common::Addressee,
    intake::Report,
    intake::SafeContact,
    intake::SubmitReportResponse,
    intake::GetReportRequest,
    intake::Answer,
    intake::AddMessageRequest,
    triage::CaseMessage,
    triage::AnswerReporterRequest,
    triage::PreviewedNotice,
    triage::IssueKeyResponse,
    triage::ConsentLimits,
    notification::ConfirmContactCodeRequest,
    notification::Contact,
    notification::ContactAddress,
    notification::ContactSecret,
    notification::RotateWebhookKeysResponse,
    notification::NoticePreview,
    notification::Reply,
    notification::TestGatewayRequest,
    event::NoticeRecipient,
    event::ReplyReceived,
);
