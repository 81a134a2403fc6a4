//! The command line as people and scripts meet it: prompts on a real terminal, exit codes, and a log
//! that is not the one seen before.

mod support;

use support::{Home, PASSWORD, Story, signer};

fn locked() -> Story {
    Story {
        sequence: 5,
        ..Story::default()
    }
}

/// The password is typed with echo off, reaches the signer as typed, and is shown nowhere.
#[test]
fn a_password_is_typed_unseen() {
    let home = Home::with_signer(locked());
    let mut terminal = home.on_terminal(&["unlock"]);
    terminal.until("Password: ");
    assert!(!terminal.echoes(), "echo is off while it is typed");
    terminal.type_in("wrong\u{15}correct horsf\u{7f}e\r");
    terminal.until("Unlocked.");
    assert_eq!(terminal.end(), 0);
    assert!(terminal.echoes(), "echo is back");
    assert!(!terminal.shown.contains("horse"), "{}", terminal.shown);
    assert_eq!(home.story.lock().unwrap().passwords, [PASSWORD.as_bytes()]);
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was() {
    let home = Home::with_signer(locked());
    let mut terminal = home.on_terminal(&["unlock"]);
    terminal.until("Password: ");
    terminal.type_in("correct\u{3}");
    assert_eq!(terminal.end(), 130);
    assert!(terminal.echoes());
    assert!(home.story.lock().unwrap().passwords.is_empty());
}

#[test]
fn a_wrong_password_is_a_refusal() {
    let home = Home::with_signer(locked());
    let mut terminal = home.on_terminal(&["unlock"]);
    terminal.until("Password: ");
    terminal.type_in("incorrect\r");
    assert_eq!(terminal.end(), 5);
    assert!(
        terminal.shown.contains("password_wrong"),
        "{}",
        terminal.shown
    );
    assert!(!terminal.shown.contains("incorrect"));
}

/// Without a terminal nothing is asked; the descriptor gives one line.
#[test]
fn scripts_use_a_descriptor() {
    let home = Home::with_signer(locked());
    let (code, _, errors) = home.run(&["unlock"]);
    assert_eq!(code, 64);
    assert!(errors.contains("--password-fd"), "{errors}");
    let password = home.path("password");
    std::fs::write(&password, format!("{PASSWORD}\nsecond line\n")).unwrap();
    let output = home
        .command(&["--json", "unlock", "--password-fd", "0"])
        .stdin(std::fs::File::open(&password).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success());
    let data: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&data["unlocked"], &data["sequence"]),
        (&true.into(), &6.into())
    );
    let (code, ..) = home.run(&["kill"]);
    assert_eq!(
        (code, home.story.lock().unwrap().kills),
        (64, 0),
        "nobody was asked, nothing was done"
    );
    let (code, ..) = home.run(&["kill", "--yes"]);
    assert_eq!((code, home.story.lock().unwrap().kills), (0, 1));
}

#[test]
fn a_question_is_answered_by_yes_alone() {
    let home = Home::with_signer(locked());
    for (answer, code) in [("y\r", 1), ("no\r", 1), ("\r", 1), ("yes\r", 0)] {
        let mut terminal = home.on_terminal(&["kill"]);
        terminal.until("[yes/no]");
        terminal.type_in(answer);
        assert_eq!(terminal.end(), code, "{answer:?}");
    }
    assert_eq!(home.story.lock().unwrap().kills, 1);
}

/// A log that was put back: the newest head that was seen goes to the signer with the password, which starts
/// frozen for it; what the signer then says is not believed, and stopping still works.
#[test]
fn an_older_log_is_unlocked_over_the_head_that_was_seen() {
    let home = Home::with_signer(locked());
    assert_eq!(home.run(&["status"]).0, 0);
    home.story.lock().unwrap().sequence = 3;
    let (code, data, errors) = home.run(&["status"]);
    assert_eq!(code, 1);
    assert!(data.contains("NOT the one"), "{data}");
    assert!(errors.contains("event 5 was seen"), "{errors}");
    let mut terminal = home.on_terminal(&["unlock"]);
    terminal.until("Password: ");
    terminal.type_in(&format!("{PASSWORD}\r"));
    assert_eq!(terminal.end(), 1);
    assert!(!terminal.shown.contains("Unlocked."), "{}", terminal.shown);
    let presented = home.story.lock().unwrap().presented.clone();
    assert!(presented.contains("\n5\n"), "{presented}");
    assert_eq!(home.run(&["kill", "--yes"]).0, 0);
}

/// An old copy that was put back and went on until its number is the same, or the higher one: the head that was seen
/// stays, whatever is asked and however often, and an honest log takes its place only then.
#[test]
fn invariant_16_a_longer_fork_never_replaces_the_head_that_was_seen() {
    let home = Home::with_signer(locked());
    assert_eq!(home.run(&["status"]).0, 0);
    let seen = std::fs::read(home.path("head")).unwrap();
    for sequence in [5, 6, 9, 40] {
        {
            let mut story = home.story.lock().unwrap();
            (story.sequence, story.forks_after) = (sequence, Some(3));
        }
        for command in [&["status"][..], &["audit", "verify"], &["wallet", "list"]] {
            let (code, data, errors) = home.run(command);
            assert_eq!(code, 1, "{command:?}: {data}");
            assert!(errors.contains("event 5 was seen"), "{errors}");
            assert!(errors.contains("keep a copy"), "{errors}");
            assert_eq!(std::fs::read(home.path("head")).unwrap(), seen);
        }
    }
    home.story.lock().unwrap().forks_after = None;
    assert_eq!(home.run(&["status"]).0, 0);
    let newest = std::fs::read_to_string(home.path("head")).unwrap();
    assert!(newest.contains("\n40\n"), "{newest}");
}

#[test]
fn what_is_missing_has_its_exit_code() {
    let home = Home::new();
    let (code, data, errors) = home.run(&["status"]);
    assert_eq!((code, data.as_str()), (69, ""));
    assert!(errors.contains("waiaas start"), "{errors}");
    let (code, _, errors) = home.run(&["--json", "status"]);
    let error: serde_json::Value = serde_json::from_str(&errors).unwrap();
    assert_eq!((code, &error["error"]["exit_code"]), (69, &69.into()));
    assert_eq!(home.run(&["start"]).0, 78);
    assert_eq!(home.run(&["no-such-command"]).0, 64);
    assert_eq!(home.run(&["unlock", "--password", "x"]).0, 64);
    assert_eq!(home.run(&["--version"]).0, 0);
    std::fs::write(home.path("config.toml"), "no-sandbox = true\n").unwrap();
    let (code, _, errors) = home.run(&["status"]);
    assert_eq!(code, 78);
    assert!(errors.contains("no-sandbox"), "{errors}");
}

#[test]
fn a_socket_that_others_could_replace_gets_no_password() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::with_signer(locked());
    let run = home.path("run");
    std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (code, _, errors) = home.run(&["unlock", "--password-fd", "0"]);
    assert_eq!(code, 77);
    assert!(errors.contains("cannot be trusted"), "{errors}");
}

#[test]
fn another_signer_is_not_served() {
    let home = Home::with_signer(locked());
    let pinned = std::fs::read_to_string(home.path("log-key")).unwrap();
    let other = pinned.replace(&signer().to_string(), "signer_00000000000000000000000009");
    std::fs::write(home.path("log-key"), other).unwrap();
    let (code, _, errors) = home.run(&["unlock", "--password-fd", "0"]);
    assert_eq!(code, 1);
    assert!(errors.contains("another signer"), "{errors}");
}
