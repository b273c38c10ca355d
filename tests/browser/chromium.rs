//! Debian's Chromium without a window, told what to do over the DevTools protocol through a pipe: one
//! JSON document after the other, each ended by a zero octet.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Where Debian and others put it.
pub fn program() -> Option<PathBuf> {
    let names = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ];
    names
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
}

pub struct Chromium {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    next_id: u64,
    /// Events that nobody has looked at yet.
    events: VecDeque<Value>,
    _folder: TempDir,
}

impl Chromium {
    pub fn start(program: &PathBuf) -> Chromium {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            // The protocol is spoken on descriptors 3 and 4.
            .args([
                "-c",
                "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null",
            ])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--remote-debugging-pipe", "--lang=en"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Chromium {
            to: child.stdin.take().unwrap(),
            from: BufReader::new(child.stdout.take().unwrap()),
            child,
            next_id: 0,
            events: VecDeque::new(),
            _folder: folder,
        }
    }

    /// A page of its own, as large as a desk's.
    pub fn page(&mut self) -> Page<'_> {
        let target = self.call(None, "Target.createTarget", json!({"url": "about:blank"}));
        let target = target["targetId"].as_str().unwrap().to_owned();
        let attach = json!({"targetId": target, "flatten": true});
        let session = self.call(None, "Target.attachToTarget", attach);
        let session = session["sessionId"].as_str().unwrap().to_owned();
        self.events.clear();
        let mut page = Page {
            browser: self,
            session,
            target,
        };
        for domain in ["Page", "Runtime", "Log"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.size(1280, 800, false);
        page
    }

    fn call(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        self.next_id += 1;
        let mut message = json!({"id": self.next_id, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut octets = message.to_string().into_bytes();
        octets.push(0);
        self.to.write_all(&octets).expect("chromium listens");
        loop {
            let mut octets = Vec::new();
            self.from.read_until(0, &mut octets).unwrap();
            assert_eq!(octets.pop(), Some(0), "chromium has ended");
            let mut message: Value = serde_json::from_slice(&octets).unwrap();
            if message["id"] == self.next_id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push_back(message);
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Page<'b> {
    browser: &'b mut Chromium,
    session: String,
    target: String,
}

impl Page<'_> {
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        let session = self.session.clone();
        self.browser.call(Some(&session), method, parameters)
    }

    pub fn open(&mut self, address: &str) {
        self.call("Page.navigate", json!({"url": address}));
        self.wait("document.readyState === 'complete'");
    }

    /// What a JavaScript expression comes to.
    pub fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", asked);
        let details = &answer["exceptionDetails"];
        assert!(details.is_null(), "{expression}: {details}");
        answer["result"]["value"].take()
    }

    /// Until an expression is true; a page that never comes there fails the test.
    pub fn wait(&mut self, expression: &str) {
        for _ in 0..1_000 {
            if self.eval(&format!("Boolean({expression})")) == true {
                return;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        let text = self.eval("location.href + '\\n' + document.body.innerText");
        panic!("never: {expression}\n{}", text.as_str().unwrap_or_default());
    }

    pub fn text(&mut self, selector: &str) -> String {
        let text = self.eval(&format!(
            "document.querySelector({selector:?})?.innerText ?? ''"
        ));
        text.as_str().unwrap().to_owned()
    }

    pub fn count(&mut self, selector: &str) -> u64 {
        let count = self.eval(&format!("document.querySelectorAll({selector:?}).length"));
        count.as_u64().unwrap()
    }

    pub fn key(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            _ if key.chars().count() == 1 => key,
            _ => "",
        };
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            _ => 0,
        };
        let mut down = json!({"type": "keyDown", "key": key, "windowsVirtualKeyCode": code});
        if !text.is_empty() {
            down["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", down);
        self.call(
            "Input.dispatchKeyEvent",
            json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}),
        );
    }

    pub fn keys(&mut self, keys: &str) {
        keys.chars().for_each(|key| self.key(&key.to_string()));
    }

    /// Where the mouse would click it.
    pub fn click(&mut self, selector: &str) {
        let found = format!(
            "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView({{block: 'center'}}); \
             const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let at = self.eval(&found);
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    pub fn size(&mut self, width: u32, height: u32, is_phone: bool) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    pub fn scheme(&mut self, scheme: &str) {
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": feature}));
    }

    pub fn screenshot(&mut self) -> Vec<u8> {
        let shot = self.call(
            "Page.captureScreenshot",
            json!({"format": "png", "optimizeForSpeed": false}),
        );
        base64(shot["data"].as_str().unwrap())
    }

    /// Exceptions, errors in the console, and what the Content-Security-Policy held back, so far.
    pub fn complaints(&mut self) -> Vec<String> {
        self.eval("1");
        let events = self.browser.events.drain(..);
        let session = self.session.as_str();
        let own = events.filter(|event| event["sessionId"] == session);
        let told = own.filter_map(|event| {
            let is_error = match event["method"].as_str()? {
                "Runtime.exceptionThrown" => true,
                "Runtime.consoleAPICalled" => event["params"]["type"] != "log",
                "Log.entryAdded" => event["params"]["entry"]["level"] == "error",
                _ => false,
            };
            is_error.then(|| event["params"].to_string())
        });
        told.collect()
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let close = json!({"targetId": self.target});
            self.browser.call(None, "Target.closeTarget", close);
        }
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |octet: u8| match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits = text
        .trim_end_matches('=')
        .bytes()
        .map(value)
        .collect::<Vec<_>>();
    let mut octets = Vec::new();
    for four in digits.chunks(4) {
        let bits = four
            .iter()
            .fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        let bits = bits << (6 * (4 - four.len()));
        octets.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    octets
}
