//! Just enough of the DNS (RFC 1035) to read TXT records from the machine's name servers: one question, by UDP, and by TCP
//! when the answer does not fit. What is looked up decides nothing; doctor shows it to a person.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

/// How long one name server may take.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// The most name servers that are asked.
const SERVERS_MAX: usize = 3;
/// The largest answer by UDP that we say we take (EDNS, RFC 6891).
const UDP_BYTES_MAX: u16 = 1_232;
const PORT: u16 = 53;
const TXT: u16 = 16;
const OPT: u16 = 41;
const INTERNET: u16 = 1;
const HEADER_BYTES: usize = 12;

/// Why a name has no texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTexts {
    /// The name servers say that there are none.
    Absent,
    /// The name servers do not answer.
    Away,
}

/// The TXT records of a name, each put together of its parts.
pub(super) type Texts = Result<Vec<String>, NoTexts>;

/// The name servers that are asked, in order.
#[derive(Debug, Clone)]
pub(super) struct NameServers(Vec<SocketAddr>);

impl NameServers {
    /// Those of `/etc/resolv.conf`; none when it names none.
    pub(super) async fn of_machine() -> Self {
        let text = tokio::fs::read_to_string("/etc/resolv.conf").await.unwrap_or_default();
        Self::of_text(&text)
    }

    fn of_text(text: &str) -> Self {
        let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
        let addresses = named.filter_map(|rest| rest.trim().parse::<IpAddr>().ok());
        Self(addresses.map(|address| SocketAddr::new(address, PORT)).take(SERVERS_MAX).collect())
    }

    /// The TXT records of a name.
    pub(super) async fn texts(&self, name: &str) -> Texts {
        for server in &self.0 {
            let asked = tokio::time::timeout(ANSWER_TIME, ask(*server, name)).await;
            match asked.ok().flatten() {
                Some(Said::Texts(texts)) if texts.is_empty() => return Err(NoTexts::Absent),
                Some(Said::Texts(texts)) => return Ok(texts),
                Some(Said::Absent) => return Err(NoTexts::Absent),
                Some(Said::TooLong | Said::Failed) | None => {}
            }
        }
        Err(NoTexts::Away)
    }
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Texts(Vec<String>),
    /// There is no such name.
    Absent,
    /// It did not fit; ask by TCP.
    TooLong,
    /// The server cannot answer.
    Failed,
}

/// Asks one server; none when it does not answer or answers something else.
async fn ask(server: SocketAddr, name: &str) -> Option<Said> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).ok()?;
    let question = question(id, name)?;
    let here: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(here).await.ok()?;
    socket.connect(server).await.ok()?;
    socket.send(&question).await.ok()?;
    let mut answer = vec![0; UDP_BYTES_MAX.into()];
    loop {
        let length = socket.recv(&mut answer).await.ok()?;
        // Whatever is no answer to this question is passed over.
        match said(answer.get(..length)?, id) {
            Some(Said::TooLong) => break,
            Some(said) => return Some(said),
            None => {}
        }
    }
    let mut stream = TcpStream::connect(server).await.ok()?;
    let length = u16::try_from(question.len()).ok()?;
    stream.write_all(&[length.to_be_bytes().as_slice(), &question].concat()).await.ok()?;
    let length = stream.read_u16().await.ok()?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await.ok()?;
    said(&answer, id)
}

/// The message that asks for the TXT records of a name; none for what is no name.
fn question(id: [u8; 2], name: &str) -> Option<Vec<u8>> {
    // Recursion is desired; one question and the options.
    let mut message = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    let name = name.trim_end_matches('.');
    if name.is_empty() || name.len() > 253 || !name.is_ascii() {
        return None;
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    for number in [TXT, INTERNET] {
        message.extend_from_slice(&number.to_be_bytes());
    }
    // The root's name, the type, the size that we take, no flags, no data.
    message.push(0);
    for number in [OPT, UDP_BYTES_MAX, 0, 0, 0] {
        message.extend_from_slice(&number.to_be_bytes());
    }
    Some(message)
}

/// Reads an answer to our question; none when it is none.
fn said(message: &[u8], id: [u8; 2]) -> Option<Said> {
    let mut reader = Reader { message, at: 0 };
    let (answers_to, flags) = (reader.bytes(2)?, reader.number()?);
    if answers_to != id || flags & 0x8000 == 0 {
        return None;
    }
    if flags & 0x0200 != 0 {
        return Some(Said::TooLong);
    }
    match flags & 0x000f {
        0 => {}
        3 => return Some(Said::Absent),
        _ => return Some(Said::Failed),
    }
    let (questions, answers) = (reader.number()?, reader.number()?);
    reader.at = HEADER_BYTES;
    for _ in 0..questions {
        reader.skip_name()?;
        reader.bytes(4)?;
    }
    let mut texts = Vec::new();
    for _ in 0..answers {
        reader.skip_name()?;
        let kind = reader.number()?;
        // Class and time to live.
        reader.bytes(6)?;
        let length = reader.number()?;
        let data = reader.bytes(length.into())?;
        if kind == TXT {
            texts.push(joined(data)?);
        }
    }
    Some(Said::Texts(texts))
}

/// The parts of a TXT record, each after its length.
fn joined(mut data: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (part, rest) = rest.split_at_checked((*length).into())?;
        text.extend_from_slice(part);
        data = rest;
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Reads a message from its beginning to its end; none where it ends too early.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let found = self.message.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(found)
    }

    fn number(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// A name ends with an empty label or with a pointer to an earlier one.
    fn skip_name(&mut self) -> Option<()> {
        loop {
            let length = *self.bytes(1)?.first()?;
            match length {
                0 => return Some(()),
                1..=63 => self.bytes(length.into()).map(|_| ())?,
                192.. => return self.bytes(1).map(|_| ()),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// An answer to a question, with these texts in parts of at most 255 bytes.
    fn answer(question: &[u8], flags: [u8; 2], texts: &[&str]) -> Vec<u8> {
        let end = question.len() - 11;
        let mut message = question[..2].to_vec();
        message.extend(flags);
        message.extend([0, 1, 0, u8::try_from(texts.len()).unwrap(), 0, 0, 0, 0]);
        message.extend(&question[HEADER_BYTES..end]);
        for text in texts {
            let data: Vec<u8> = text
                .as_bytes()
                .chunks(255)
                .flat_map(|part| [&[u8::try_from(part.len()).unwrap()], part].concat())
                .collect();
            message.extend([192, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        message
    }

    async fn read(stream: &mut TcpStream) -> Vec<u8> {
        let length = stream.read_u16().await.unwrap();
        let mut question = vec![0; length.into()];
        stream.read_exact(&mut question).await.unwrap();
        question
    }

    /// A port that is free for one may be taken for the other.
    async fn both_at_one_port() -> (UdpSocket, TcpListener) {
        loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                return (udp, tcp);
            }
        }
    }

    #[tokio::test]
    async fn texts_come_whole_by_udp_or_by_tcp() {
        let (udp, tcp) = both_at_one_port().await;
        let address = udp.local_addr().unwrap();
        let long = "x".repeat(1_500);
        let whole = long.clone();
        tokio::spawn(async move {
            let mut question = [0; 512];
            for _ in 0..3 {
                let (length, from) = udp.recv_from(&mut question).await.unwrap();
                let question = &question[..length];
                let name = String::from_utf8_lossy(question).into_owned();
                let reply = if name.contains("long") {
                    answer(question, [0x82, 0], &[])
                } else if name.contains("gone") {
                    answer(question, [0x80, 3], &[])
                } else {
                    udp.send_to(b"no answer to anything", from).await.unwrap();
                    answer(question, [0x80, 0], &["v=spf1 -all", "other"])
                };
                udp.send_to(&reply, from).await.unwrap();
            }
        });
        tokio::spawn(async move {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let question = read(&mut stream).await;
            let reply = answer(&question, [0x80, 0], &[&whole]);
            stream.write_u16(u16::try_from(reply.len()).unwrap()).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        });
        let servers = NameServers(vec![address]);
        assert_eq!(servers.texts("a.example").await.unwrap(), ["v=spf1 -all", "other"]);
        assert_eq!(servers.texts("long.example").await.unwrap(), [long]);
        assert_eq!(servers.texts("gone.example").await, Err(NoTexts::Absent));
        assert_eq!(NameServers(Vec::new()).texts("a.example").await, Err(NoTexts::Away));
    }

    #[test]
    fn an_answer_that_ends_early_is_none() {
        let asked = question([1, 2], "selector._domainkey.org.example").unwrap();
        let whole = answer(&asked, [0x80, 0], &["v=DKIM1; p=AAAA"]);
        assert_eq!(said(&whole, [1, 2]), Some(Said::Texts(vec!["v=DKIM1; p=AAAA".to_owned()])));
        assert_eq!(said(&whole, [1, 3]), None);
        assert_eq!(said(&asked, [1, 2]), None, "a question is no answer");
        for length in 0..whole.len() {
            assert_eq!(said(&whole[..length], [1, 2]), None, "{length}");
        }
    }

    #[test]
    fn only_names_are_asked_for_and_only_servers_are_asked() {
        for wrong in ["", ".", "a..b", &"a".repeat(64), &"a.".repeat(128), "é.example"] {
            assert_eq!(question([0, 0], wrong), None, "{wrong}");
        }
        let servers = NameServers::of_text("search x\nnameserver 192.0.2.1\n nameserver 2001:db8::1\nnameserver x\n");
        assert_eq!(servers.0.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
