//! The tables of SMS: what each gateway was given, what it said, what was spent, and who wrote back.

/// How far one notice has come with one gateway.
pub(crate) mod submission {
    use sea_orm::entity::prelude::*;

    /// Written before the message is sent and after, so that only what a crash hides is ever sent again.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sms_submissions")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) notice_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) gateway: String,
        /// Sends that were begun.
        pub(crate) tries: i32,
        /// When a send was begun whose end is not written: it is under way, or a process died over it.
        pub(crate) open_since_ms: Option<i64>,
        /// Sends that the gateway did not answer: nobody knows whether it took them.
        pub(crate) unknown: i32,
        /// The gateway's own id, normalised.
        pub(crate) message_id: Option<String>,
        /// When the gateway took it; none when it has not.
        pub(crate) taken_at_ms: Option<i64>,
        /// When the gateway said that it accepted the message; without it, only that it answered.
        pub(crate) accepted_at_ms: Option<i64>,
        /// A receipt says that the carrier has it.
        pub(crate) heard: bool,
        /// A receipt says that it will not arrive.
        pub(crate) failed: bool,
        /// The gateway will never take this message.
        pub(crate) refused: bool,
        /// A gateway that refused for now is not asked again before this.
        pub(crate) next_try_at_ms: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// When a notice that a gateway has taken is looked at again.
pub(crate) mod watch {
    use sea_orm::entity::prelude::*;

    /// One notice.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sms_watches")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) notice_id: Uuid,
        pub(crate) look_at_ms: i64,
        /// After this nobody waits for a receipt any more.
        pub(crate) give_up_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A receipt for a message whose submit is not stored yet.
pub(crate) mod early_receipt {
    use sea_orm::entity::prelude::*;

    /// The strongest news of one message.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sms_early_receipts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) gateway: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) message_id: String,
        pub(crate) state: String,
        pub(crate) received_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What was spent on one day, in all or on one range of numbers.
pub(crate) mod spend {
    use sea_orm::entity::prelude::*;

    /// Counted before each send, in the same transaction as the submission.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sms_spend")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) day: i64,
        /// 0 for everything; else a keyed hash of the range, so that no part of a number stands here.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) scope: i64,
        pub(crate) units: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Whose number it is.
pub(crate) mod phone {
    use sea_orm::entity::prelude::*;

    /// A keyed hash of a contact's number, so that a message from it can be told apart from others.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sms_phones")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) contact_id: String,
        pub(crate) phone_mac: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A number that wants no more messages.
pub(crate) mod suppression {
    use sea_orm::entity::prelude::*;

    /// Made by STOP, removed by START.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sms_suppressions")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) phone_mac: String,
        pub(crate) since_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// An answer of ours to somebody who wrote STOP, START or HELP.
pub(crate) mod answer {
    use sea_orm::entity::prelude::*;

    /// One kind of answer to one number; it is given once.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sms_answers")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) phone_mac: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) kind: String,
        pub(crate) contact_id: String,
        pub(crate) gateway: String,
        pub(crate) asked_at_ms: i64,
        /// None when it was given, or given up.
        pub(crate) due_at_ms: Option<i64>,
        pub(crate) tries: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What somebody wrote that no rule understood, kept for a person.
pub(crate) mod incoming {
    use sea_orm::entity::prelude::*;

    /// Number and text are sealed like contacts' details.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sms_incoming")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) incoming_id: Uuid,
        pub(crate) gateway: String,
        /// The gateway's id of the message: it may be told twice.
        pub(crate) message_id: String,
        /// Empty for a number that nobody has.
        pub(crate) contact_id: String,
        pub(crate) sealed: Vec<u8>,
        pub(crate) received_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Whether a gateway may be used, of whichever channel.
pub(crate) mod gateway {
    use sea_orm::entity::prelude::*;

    /// A gateway without a row is not paused.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateways")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) name: String,
        pub(crate) paused: bool,
        pub(crate) changed_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
