//! Our own words in the four languages.

use tocsin_domain::language::Language;
use tocsin_domain::priority::Priority;

/// The words of one language.
pub(super) struct Words {
    /// Marks a drill, in every channel.
    pub(super) exercise: &'static str,
    /// Says in a sentence that it is a drill.
    pub(super) exercise_line: &'static str,
    /// P1 to P4 in a phrase.
    pub(super) urgency: [&'static str; 4],
    /// P1 to P4 in a word that fits an SMS.
    pub(super) urgency_short: [&'static str; 4],
    pub(super) alert: &'static str,
    pub(super) page: &'static str,
    pub(super) handover: &'static str,
    pub(super) webhook_gone: &'static str,
    pub(super) urgency_label: &'static str,
    pub(super) answer_by: &'static str,
    /// Begins in lower case, for the subject.
    pub(super) answer_by_subject: &'static str,
    pub(super) not_by_mail: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) acknowledge: &'static str,
    /// The contact's language has no reviewed text.
    pub(super) untranslated: &'static str,
    pub(super) automatic: &'static str,
    /// `{code}`, `{urgency}`, `{deadline}` and `{word}` are replaced.
    pub(super) sms_alert: &'static str,
    pub(super) sms_page: &'static str,
    pub(super) sms_handover: &'static str,
    pub(super) sms_webhook_gone: &'static str,
    pub(super) test_subject: &'static str,
    pub(super) test_line: &'static str,
    pub(super) sms_test: &'static str,
    pub(super) code_subject: &'static str,
    /// `{code}` is replaced.
    pub(super) code_line: &'static str,
    pub(super) sms_code: &'static str,
    /// Before the word that a contact shares with us.
    pub(super) word: &'static str,
}

/// The words of a language.
pub(super) const fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &ENGLISH,
        Language::Es => &SPANISH,
        Language::Fr => &FRENCH,
        Language::Ar => &ARABIC,
    }
}

/// The place of a priority in the lists above.
pub(super) const fn of<'a>(list: &[&'a str; 4], priority: Priority) -> &'a str {
    match priority {
        Priority::P1 => list[0],
        Priority::P2 => list[1],
        Priority::P3 => list[2],
        Priority::P4 => list[3],
    }
}

static ENGLISH: Words = Words {
    exercise: "[EXERCISE]",
    exercise_line: "This is an exercise. Nobody is in danger.",
    urgency: ["critical (P1)", "high (P2)", "medium (P3)", "preventive (P4)"],
    urgency_short: ["CRITICAL", "HIGH", "MEDIUM", "PREVENTIVE"],
    alert: "Tocsin alert",
    page: "Tocsin: a case waits for your answer.",
    handover: "Tocsin: a notice of this alert finally failed. Please reach its recipients by hand. Alert:",
    webhook_gone: "Tocsin: your webhook answered that it is gone (410) and is used no further. Please tell us its new address.",
    urgency_label: "Urgency:",
    answer_by: "Please answer by:",
    answer_by_subject: "answer by",
    not_by_mail: "What it says is not sent by e-mail.",
    sign_in: "Sign in to read it:",
    acknowledge: "Acknowledge with one press:",
    untranslated: "There is no reviewed translation into your language yet; this is the original text.",
    automatic: "This message was sent automatically; replies are not read.",
    sms_alert: "TOCSIN {code} {urgency}. Answer by {deadline}. Word: {word}",
    sms_page: "TOCSIN {urgency}. A case waits. Answer by {deadline}. Word: {word}",
    sms_handover: "TOCSIN {code}: a notice failed. Act by hand. Word: {word}",
    sms_webhook_gone: "TOCSIN: your webhook is gone (410) and used no further. Tell us its new address. Word: {word}",
    test_subject: "test",
    test_line: "This is a test of Tocsin. Nothing has happened, and nothing is asked of you.",
    sms_test: "TOCSIN: this is a test. Nothing has happened.",
    code_subject: "code",
    code_line: "Your code is {code}. Please tell it to the person of the network who asked you for it, and to nobody else.",
    sms_code: "TOCSIN: your code is {code}. Tell it only to whoever of us asked for it.",
    word: "Word:",
};

static SPANISH: Words = Words {
    exercise: "[EJERCICIO]",
    exercise_line: "Esto es un ejercicio. Nadie corre peligro.",
    urgency: ["crítica (P1)", "alta (P2)", "media (P3)", "preventiva (P4)"],
    urgency_short: ["MUY URGENTE", "URGENTE", "MEDIA", "PREVENTIVA"],
    alert: "Alerta de Tocsin",
    page: "Tocsin: un caso espera su respuesta.",
    handover: "Tocsin: un aviso de esta alerta no pudo entregarse. Contacte usted a sus destinatarios. Alerta:",
    webhook_gone: "Tocsin: su webhook respondió que ya no existe (410) y no se usa más. Por favor, indíquenos su nueva dirección.",
    urgency_label: "Urgencia:",
    answer_by: "Responda antes de:",
    answer_by_subject: "responda antes de",
    not_by_mail: "Su contenido no se envía por correo.",
    sign_in: "Entre para leerla:",
    acknowledge: "Confirme con una sola pulsación:",
    untranslated: "Todavía no hay una traducción revisada a su idioma; este es el texto original.",
    automatic: "Este mensaje se envió automáticamente; no se leen las respuestas.",
    sms_alert: "TOCSIN {code} {urgency}. Responda antes de {deadline}. Palabra: {word}",
    sms_page: "TOCSIN {urgency}. Un caso espera. Responda antes de {deadline}. Palabra: {word}",
    sms_handover: "TOCSIN {code}: un aviso no se pudo entregar. Hay que actuar. Palabra: {word}",
    sms_webhook_gone: "TOCSIN: su webhook ya no existe (410) y no se usa. Indique el nuevo. Palabra: {word}",
    test_subject: "prueba",
    test_line: "Esta es una prueba de Tocsin. No ha pasado nada y no se le pide nada.",
    sms_test: "TOCSIN: esto es una prueba. No ha pasado nada.",
    code_subject: "código",
    code_line: "Su código es {code}. Dígaselo a la persona de la red que se lo pidió y a nadie más.",
    sms_code: "TOCSIN: su clave es {code}. Dela solo a quien se la ha pedido de nuestra parte.",
    word: "Palabra:",
};

static FRENCH: Words = Words {
    exercise: "[EXERCICE]",
    exercise_line: "Ceci est un exercice. Personne n'est en danger.",
    urgency: ["critique (P1)", "élevée (P2)", "moyenne (P3)", "préventive (P4)"],
    urgency_short: ["CRITIQUE", "URGENT", "MOYEN", "PREVENTIF"],
    alert: "Alerte de Tocsin",
    page: "Tocsin : un dossier attend votre réponse.",
    handover: "Tocsin : un avis de cette alerte n'a pas pu être remis. Joignez vous-même ses destinataires. Alerte :",
    webhook_gone: "Tocsin : votre webhook a répondu qu'il n'existe plus (410) et n'est plus utilisé. Indiquez-nous sa nouvelle adresse.",
    urgency_label: "Urgence :",
    answer_by: "Répondez avant :",
    answer_by_subject: "répondez avant",
    not_by_mail: "Son contenu n'est pas envoyé par courriel.",
    sign_in: "Connectez-vous pour la lire :",
    acknowledge: "Accusez réception d'une seule pression :",
    untranslated: "Il n'existe pas encore de traduction relue dans votre langue ; voici le texte original.",
    automatic: "Ce message a été envoyé automatiquement ; les réponses ne sont pas lues.",
    sms_alert: "TOCSIN {code} {urgency}. Répondez avant {deadline}. Mot: {word}",
    sms_page: "TOCSIN {urgency}. Un dossier attend. Répondez avant {deadline}. Mot: {word}",
    sms_handover: "TOCSIN {code}: un avis n'a pas été remis. Agissez. Mot: {word}",
    sms_webhook_gone: "TOCSIN: votre webhook n'existe plus (410). Indiquez-nous le nouveau. Mot: {word}",
    test_subject: "essai",
    test_line: "Ceci est un essai de Tocsin. Il ne s'est rien passé et rien ne vous est demandé.",
    sms_test: "TOCSIN: ceci est un essai. Il ne s'est rien passé.",
    code_subject: "code",
    code_line: "Votre code est {code}. Donnez-le à la personne du réseau qui vous l'a demandé, et à personne d'autre.",
    sms_code: "TOCSIN: votre code est {code}. Donnez-le seulement à qui vous l'a demandé pour nous.",
    word: "Mot:",
};

static ARABIC: Words = Words {
    exercise: "[تمرين]",
    exercise_line: "هذا تمرين. لا أحد في خطر.",
    urgency: ["حرجة (P1)", "عالية (P2)", "متوسطة (P3)", "وقائية (P4)"],
    urgency_short: ["حرج", "عاجل", "متوسط", "وقائي"],
    alert: "إنذار توكسن",
    page: "توكسن: حالة تنتظر ردكم.",
    handover: "توكسن: تعذر نهائيا تسليم إشعار من هذا الإنذار. يرجى الاتصال بالمستلمين مباشرة. الإنذار:",
    webhook_gone: "توكسن: أجاب خطاف الويب الخاص بكم بأنه لم يعد موجودا (410) وتوقف استخدامه. يرجى إبلاغنا بعنوانه الجديد.",
    urgency_label: "الأهمية:",
    answer_by: "يرجى الرد قبل:",
    answer_by_subject: "الرد قبل",
    not_by_mail: "لا يرسل المضمون بالبريد الإلكتروني.",
    sign_in: "سجلوا الدخول لقراءته:",
    acknowledge: "تأكيد الاستلام بضغطة واحدة:",
    untranslated: "لا توجد بعد ترجمة مراجعة إلى لغتكم؛ هذا هو النص الأصلي.",
    automatic: "أرسلت هذه الرسالة آليا، والردود لا تقرأ.",
    sms_alert: "توكسن {code} {urgency}. الرد قبل {deadline}. الكلمة: {word}",
    sms_page: "توكسن: نداء {urgency}. الرد قبل {deadline}. الكلمة: {word}",
    sms_handover: "توكسن {code}: تعذر إشعار. تصرفوا. الكلمة: {word}",
    sms_webhook_gone: "توكسن: توقف خطاف الويب (410). أبلغونا. الكلمة: {word}",
    test_subject: "اختبار",
    test_line: "هذا اختبار من توكسن. لم يحدث شيء، ولا يطلب منكم شيء.",
    sms_test: "توكسن: هذا اختبار. لم يحدث شيء.",
    code_subject: "رمز",
    code_line: "رمزكم هو {code}. أبلغوه للشخص من الشبكة الذي طلبه، ولا لأحد غيره.",
    sms_code: "توكسن: رمزكم {code}. أبلغوه لمن طلبه فقط.",
    word: "الكلمة:",
};
