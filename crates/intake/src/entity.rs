//! intake's tables. Nothing in them can be read by whoever holds only the database: content is sealed to triage,
//! answers to the reporter's receipt, stored replies to the client's idempotency key.

/// One report that was accepted.
pub(crate) mod report {
    use sea_orm::entity::prelude::*;

    /// The content is sealed to triage; intake cannot read it back.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reports")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) report_id: Uuid,
        /// What recognises the receipt; the words themselves are kept nowhere.
        pub(crate) receipt_hash: Vec<u8>,
        /// The public half of the key pair that follows from the receipt.
        pub(crate) receipt_public_key: Vec<u8>,
        pub(crate) sealed: Vec<u8>,
        pub(crate) received_at_ms: i64,
        /// As far as the reporter may know, in triage's words.
        pub(crate) state: String,
        /// The version of the answer that last set the state; 0 before the first.
        pub(crate) state_version: i64,
        pub(crate) message_count: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Something that the reporter added later.
pub(crate) mod message {
    use sea_orm::entity::prelude::*;

    /// The text is sealed to triage.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "messages")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) message_id: Uuid,
        pub(crate) report_id: Uuid,
        pub(crate) received_at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the network answered.
pub(crate) mod answer {
    use sea_orm::entity::prelude::*;

    /// The text is sealed to the receipt of its report.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "answers")]
    pub(crate) struct Model {
        /// The answer's id as triage says it; text, because it is another service's.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) answer_id: String,
        pub(crate) report_id: Uuid,
        pub(crate) version: i64,
        pub(crate) answered_at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What was answered to which idempotency key.
pub(crate) mod idempotency {
    use sea_orm::entity::prelude::*;

    /// Only hashes of the key and of the body, and the answer encrypted under the key.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) key_hash: Vec<u8>,
        pub(crate) body_mac: Vec<u8>,
        pub(crate) answer_sealed: Vec<u8>,
        pub(crate) created_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
