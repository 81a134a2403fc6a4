//! The committed code is what the Cap'n Proto compiler makes of the `.capnp` files. Needs the
//! `capnp` program (Debian: capnproto); `WAIAAS_REGENERATE=1` writes the files anew.

use std::path::Path;

const FILES: [&str; 4] = ["types", "common", "gateway", "admin"];

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::process::Command::new("capnp")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("capnp is not installed: the generated code was not compared");
        return;
    }
    let out = tempfile_dir();
    let mut command = capnpc::CompilerCommand::new();
    command
        .src_prefix(root)
        .output_path(&out)
        .default_parent_module(vec!["generated".to_owned()]);
    for name in FILES {
        command.file(root.join(format!("{name}.capnp")));
    }
    command.run().expect("the schema compiles");
    for name in FILES {
        let file = format!("{name}_capnp.rs");
        let fresh = std::fs::read_to_string(out.join(&file)).expect("compiler output");
        let committed = root.join("src/generated").join(&file);
        if std::env::var_os("WAIAAS_REGENERATE").is_some() {
            std::fs::write(&committed, &fresh).expect("generated folder is writable");
        }
        let current = std::fs::read_to_string(&committed).expect("committed code");
        assert!(
            current == fresh,
            "{file} is stale: run with WAIAAS_REGENERATE=1"
        );
    }
    std::fs::remove_dir_all(&out).expect("own folder");
}

fn tempfile_dir() -> std::path::PathBuf {
    let out = std::env::temp_dir().join(format!("waiaas-schema-{}", std::process::id()));
    std::fs::create_dir_all(&out).expect("temporary folder");
    out
}
