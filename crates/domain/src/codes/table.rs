//! The one table of codes: every list, every code, once.
//!
//! A code is lower case and stable: it is stored, sent and keyed by, and never shown to a person, who reads its
//! label instead. A new code is a new word here and a label in each of the four label files.

use super::list::code_list;

code_list! {
    /// A kind of threat or attack.
    Kind in "kinds" {
        Killing = "killing", AttemptedKilling = "attempted_killing",
        EnforcedDisappearance = "enforced_disappearance", Abduction = "abduction",
        IncommunicadoDetention = "incommunicado_detention",
        Torture = "torture", IllTreatment = "ill_treatment", DenialOfMedicalCare = "denial_of_medical_care",
        ArbitraryArrest = "arbitrary_arrest", ArbitraryDetention = "arbitrary_detention",
        HouseArrest = "house_arrest", MassRoundup = "mass_roundup", TravelBan = "travel_ban",
        Deportation = "deportation",
        PhysicalAssault = "physical_assault", ArmedAttackOnPremises = "armed_attack_on_premises",
        ExcessiveForceAtProtest = "excessive_force_at_protest",
        SexualAssault = "sexual_assault", SexualHarassment = "sexual_harassment", GenderedSmear = "gendered_smear",
        ThreatToChildren = "threat_to_children", Outing = "outing",
        ExclusionByOwnCommunity = "exclusion_by_own_community",
        DeathThreatPerson = "death_threat_person", DeathThreatFamily = "death_threat_family",
        DeathThreatColleagues = "death_threat_colleagues", ThreatOther = "threat_other", Ultimatum = "ultimatum",
        SymbolicThreat = "symbolic_threat",
        PhysicalSurveillance = "physical_surveillance", Stalking = "stalking", Spyware = "spyware",
        Interception = "interception", Infiltration = "infiltration",
        CriminalCharges = "criminal_charges", Slapp = "slapp", Summons = "summons", UnfairTrial = "unfair_trial",
        AdministrativeSanction = "administrative_sanction", AssetFreeze = "asset_freeze",
        TerrorListing = "terror_listing",
        OfficeRaid = "office_raid", OfficeClosure = "office_closure", Deregistration = "deregistration",
        FundingRestriction = "funding_restriction", MeetingBanned = "meeting_banned",
        StrikeBreaking = "strike_breaking",
        UnionNonRecognition = "union_non_recognition", DismissalBlacklisting = "dismissal_blacklisting",
        SmearCampaign = "smear_campaign", RedTagging = "red_tagging", HateSpeech = "hate_speech", Doxxing = "doxxing",
        Disinformation = "disinformation",
        AccountTakeover = "account_takeover", Phishing = "phishing", Ddos = "ddos", DeviceSeized = "device_seized",
        Censorship = "censorship", InternetShutdown = "internet_shutdown",
        Eviction = "eviction", ForcedDisplacement = "forced_displacement", LandSeizure = "land_seizure",
        PropertyDestruction = "property_destruction", LivelihoodDestruction = "livelihood_destruction",
        Blockade = "blockade",
        TheftOfData = "theft_of_data", Extortion = "extortion",
        ReprisalForUnCooperation = "reprisal_for_un_cooperation", ReprisalAgainstFamily = "reprisal_against_family",
        ReprisalAgainstLawyer = "reprisal_against_lawyer", ReprisalAfterOurAction = "reprisal_after_our_action",
        RepressiveLaw = "repressive_law", FailureToProtect = "failure_to_protect",
        Other = "other", Unknown = "unknown",
    }

    /// Who is alleged to be behind a threat or attack.
    Actor in "actors" {
        NationalOfficial = "national_official", LocalOfficial = "local_official", ArmedForces = "armed_forces",
        Police = "police", PrisonStaff = "prison_staff", Intelligence = "intelligence",
        Legislature = "legislature", Judiciary = "judiciary", BorderAuthority = "border_authority",
        Regulator = "regulator",
        Paramilitary = "paramilitary", DeathSquad = "death_squad", StateMedia = "state_media",
        Guerrilla = "guerrilla", Militia = "militia", OrganisedCrime = "organised_crime",
        ExtremistGroup = "extremist_group",
        LocalCompany = "local_company", TransnationalCompany = "transnational_company", Contractor = "contractor",
        PrivateSecurity = "private_security", Landowner = "landowner", Employer = "employer",
        InvestorLender = "investor_lender", BuyerBrand = "buyer_brand", DevelopmentBank = "development_bank",
        MediaOutlet = "media_outlet", OnlineGroup = "online_group", ReligiousLeader = "religious_leader",
        CommunityMember = "community_member", FamilyMember = "family_member", OwnOrganisation = "own_organisation",
        Mob = "mob",
        ForeignState = "foreign_state", OccupyingForce = "occupying_force",
        Unknown = "unknown", Other = "other",
    }

    /// What an actor is alleged to have had to do with it.
    Degree in "degrees" {
        CarriedOut = "carried_out", Ordered = "ordered", Planned = "planned", Present = "present",
        Accomplice = "accomplice", Suspected = "suspected", FailedToProtect = "failed_to_protect",
    }

    /// A group of defenders; a report names several.
    DefenderGroup in "groups" {
        LandTerritory = "land_territory", EnvironmentClimate = "environment_climate",
        IndigenousRights = "indigenous_rights", AfroDescendant = "afro_descendant",
        PeasantFisherfolk = "peasant_fisherfolk",
        TradeUnion = "trade_union", CorporateAccountability = "corporate_accountability", Housing = "housing",
        WomenRights = "women_rights", Srhr = "srhr", Lgbtiq = "lgbtiq", SexWorkerRights = "sex_worker_rights",
        MigrantRefugee = "migrant_refugee", Minority = "minority", DisabilityRights = "disability_rights",
        ChildrenYouth = "children_youth", Lawyer = "lawyer", Journalist = "journalist",
        CommunityMedia = "community_media",
        AntiCorruption = "anti_corruption", HealthWorker = "health_worker", AcademicStudent = "academic_student",
        TruthJusticeMemory = "truth_justice_memory", Democracy = "democracy", DigitalRights = "digital_rights",
        AntiTorture = "anti_torture", Peacebuilder = "peacebuilder", FamilyOfVictims = "family_of_victims",
        CommunityLeader = "community_leader", SupportStaff = "support_staff",
    }

    /// Whom the threat is aimed at.
    SubjectUnit in "subject" {
        Individual = "individual", Family = "family", Organisation = "organisation", Community = "community",
        SocialGroup = "social_group",
    }

    /// A kind of support that can be asked for or offered.
    Support in "support" {
        PhysicalSecurity = "physical_security", DigitalSecurity = "digital_security",
        Communications = "communications", SecurityTraining = "security_training",
        SecureTransport = "secure_transport", Legal = "legal",
        MedicalPsychosocial = "medical_psychosocial", Humanitarian = "humanitarian", Relocation = "relocation",
        MonitoringAdvocacy = "monitoring_advocacy", CollectiveLetter = "collective_letter", Petition = "petition",
        ConfidentialContact = "confidential_contact", TrialObservation = "trial_observation",
        Accompaniment = "accompaniment", PrisonVisit = "prison_visit", Equipment = "equipment",
        UnSubmission = "un_submission",
        PrecautionaryMeasure = "precautionary_measure", CompanyEngagement = "company_engagement",
        InvestorEngagement = "investor_engagement", Media = "media", Childcare = "childcare",
        Interpretation = "interpretation",
        Respite = "respite", PreventivePlan = "preventive_plan",
        Other = "other",
    }

    /// What an alert asks its addressees for.
    Demand in "demands" {
        GuaranteeSafety = "guarantee_safety", Release = "release", Investigate = "investigate",
        DropCharges = "drop_charges", HaltEviction = "halt_eviction",
        AccessToLawyerDoctor = "access_to_lawyer_doctor",
        PublicRecognition = "public_recognition", HaltProject = "halt_project",
        ConsultCommunity = "consult_community", Remedy = "remedy", WithdrawForces = "withdraw_forces",
        RepealLaw = "repeal_law",
    }

    /// Where the report stands towards the incident.
    Phase in "phases" {
        Before = "before", During = "during", After = "after",
    }

    /// How a case ended.
    Outcome in "outcomes" {
        Released = "released", ChargesDropped = "charges_dropped", ThreatCeased = "threat_ceased",
        ProtectionGranted = "protection_granted", Relocated = "relocated", ReturnedSafely = "returned_safely",
        Deteriorated = "deteriorated", Convicted = "convicted", Killed = "killed", Disappeared = "disappeared",
        NoContact = "no_contact", Withdrawn = "withdrawn", Merged = "merged",
        Other = "other",
    }

    /// What an alert asks its readers to do.
    Ask in "asks" {
        Sign = "sign", Pledge = "pledge", AcceptReferral = "accept_referral", HostRelocation = "host_relocation",
        WriteToAddressee = "write_to_addressee", Acknowledge = "acknowledge",
    }

    /// What the reporter is to the person under threat.
    Relation in "relations" {
        Oneself = "self", Relative = "relative", Colleague = "colleague", Lawyer = "lawyer", Witness = "witness",
        Member = "member",
        Other = "other",
    }

    /// What a source is to the event.
    SourceLink in "source_links" {
        Victim = "victim", Witness = "witness", Relative = "relative", Colleague = "colleague",
        SameOrganisation = "same_organisation", Relayed = "relayed", Lawyer = "lawyer", Medical = "medical",
        Ngo = "ngo", Media = "media",
    }

    /// How certain a report is held to be. Certainty limits publicity, never the speed of the first answer.
    Claim in "claims" {
        Confirmed = "confirmed", Likely = "likely", Possible = "possible", Unlikely = "unlikely", Unknown = "unknown",
    }

    /// What a person was asked to consent to.
    ConsentPurpose in "consent_purposes" {
        Store = "store", VerifyWithThirdParty = "verify_with_third_party", ShareForSupport = "share_for_support",
        MembersAlert = "members_alert", LetterToAuthority = "letter_to_authority",
        LetterToOtherActor = "letter_to_other_actor", UnLetterWithNames = "un_letter_with_names",
        UnPublicReport = "un_public_report", RegionalBody = "regional_body", PublicLetter = "public_letter",
        Media = "media",
        PhotoVideo = "photo_video", ContactFamily = "contact_family", Statistics = "statistics",
    }

    /// Who may learn it.
    ConsentAudience in "consent_audiences" {
        DutyTeam = "duty_team", Coordinators = "coordinators", NamedPartner = "named_partner",
        SignatoryMembers = "signatory_members", AllMembers = "all_members", Allies = "allies",
        UnRegional = "un_regional",
        Embassies = "embassies", AddresseeState = "addressee_state", AddresseeCompany = "addressee_company",
        Public = "public",
    }

    /// How much of a person's identity may be shown, from the least to the most revealing.
    IdentityLevel in "identity_levels" {
        None = "none", GroupOnly = "group_only", RoleAndRegion = "role_and_region", Pseudonym = "pseudonym",
        Initials = "initials", NameOnly = "name_only", Full = "full",
    }

    /// What became of a question for consent.
    ConsentStatus in "consent_statuses" {
        Asked = "asked", Granted = "granted", GrantedWithLimits = "granted_with_limits", Refused = "refused",
        NotAskedUnsafe = "not_asked_unsafe", UnableReasonGiven = "unable_reason_given",
        ProxyGranted = "proxy_granted",
        Withdrawn = "withdrawn", Expired = "expired",
    }

    /// How a consent was obtained.
    ConsentForm in "consent_forms" {
        Written = "written", Voice = "voice", OralWithWitness = "oral_with_witness", Proxy = "proxy",
        CommunityAssembly = "community_assembly",
    }

    /// How far a text's translation has come; only a reviewed text is ever released.
    Translation in "translations" {
        MachineDraft = "machine_draft", HumanDraft = "human_draft", Reviewed = "reviewed",
    }

    /// What sort of body a letter is addressed to.
    AddresseeKind in "addressee_kinds" {
        State = "state", Company = "company", InvestorLender = "investor_lender", Embassy = "embassy",
        RegionalBody = "regional_body", Un = "un", Media = "media", Other = "other",
    }
}
