//! `bake` and `image`: what is made before any pod starts.

use std::path::{Path, PathBuf};

use etl_runtime::delta::{self, DeltaFile, DeltaPlace};
use etl_runtime::runtime_image::{self, RuntimeImage};
use etl_runtime::{RuntimeFacts, package_list};
use image::{BaseImage, LayerCompression};
use serde_json::json;
use vocab::Exit;

use crate::arguments::ImageArguments;
use crate::surroundings::{EtlOutcome, Surroundings};

/// What a delta is baked of.
#[derive(Clone, Copy, Debug)]
pub struct BakeRequest<'a> {
    pub packages: &'a str,
    pub to: &'a str,
    pub python: Option<&'a Path>,
    pub byte_code: bool,
}

/// Prints the variables that a pod gets.
pub fn bake(request: &BakeRequest<'_>, surroundings: &Surroundings, as_json: bool) -> EtlOutcome {
    let BakeRequest { packages, to, python, byte_code } = *request;
    let packages = package_list::parse(packages)?;
    let (environment, folder) = (&surroundings.environment, &surroundings.folder);
    let runtime = RuntimeFacts::find(python, surroundings.program.as_deref(), environment, folder)?;
    let context = surroundings.context(&surroundings.work(), folder)?;
    let place = DeltaPlace::open(to, "--to", &context)?;
    let baked = delta::bake(&packages, byte_code, &runtime, &place, &context)?;
    let lines: Vec<String> = packages.iter().map(delta::requirement_line).collect();
    let mut variables = vec![("ETL_PYTHON_VERSION", runtime.minor_version()), ("PACKAGES", lines.join(","))];
    let printer = &surroundings.printer;
    match &baked {
        None => printer.say("the runtime has all of these packages, so no delta is needed"),
        Some(baked) => {
            let address = if Path::new(to).is_relative() && !to.contains("://") {
                folder.join(to).display().to_string()
            } else {
                to.to_owned()
            };
            variables.extend([("ETL_DELTA", address), ("ETL_DELTA_SHA256", baked.sha256.to_string())]);
            let bytes: u64 = baked.record.files.iter().map(DeltaFile::bytes).sum();
            let (count, sent) = (baked.record.files.len(), baked.sent);
            printer.say(&format!("baked {count} wheels, {bytes} bytes, of which {sent} were sent"));
        }
    }
    if as_json {
        let variables: serde_json::Map<String, serde_json::Value> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let delta = baked.as_ref().map(|baked| json!({"record": baked.record, "sent": baked.sent}));
        printer.json("delta", &json!({"environment": variables, "delta": delta}));
    } else {
        let line = |(name, value): &(&str, String)| format!("{name}={value}\n");
        printer.data(&variables.iter().map(line).collect::<String>());
    }
    Ok(Exit::Done)
}

/// Writes the layout, and prints its digest and layers.
pub fn image(arguments: &ImageArguments, surroundings: &Surroundings, as_json: bool) -> EtlOutcome {
    let at = |path: &Path| surroundings.folder.join(path);
    let packages = package_list::parse(&arguments.packages)?;
    let context = surroundings.context(&surroundings.work(), &surroundings.folder)?;
    let options = &arguments.image.base;
    let base = options.base.as_deref().map(|layout| BaseImage { layout: at(layout), name: options.base_name.clone() });
    let program: Option<PathBuf> = arguments.program.as_deref().map(at);
    let request = RuntimeImage {
        runtime: &at(&arguments.runtime),
        python: arguments.python.as_deref(),
        packages: &packages,
        base,
        program: program.as_deref(),
        own_program: surroundings.program.as_deref(),
        user: arguments.user.clone(),
        byte_code: !options.without_byte_code,
        compression: if options.gzip { LayerCompression::Gzip } else { LayerCompression::Zstd },
        mtime: surroundings.environment.source_date_epoch()?.unwrap_or(archive::DEFAULT_MTIME),
    };
    let target = at(&arguments.image.to);
    let written = runtime_image::write(&request, &target, &context)?;
    let printer = &surroundings.printer;
    if as_json {
        printer.json("image", &json!(written));
        return Ok(Exit::Done);
    }
    for layer in &written.layers {
        printer.say(&format!("layer {}: {}, {} bytes", layer.digest.short(), layer.content, layer.size));
    }
    printer.data(&format!("sha256:{}\n", written.digest));
    Ok(Exit::Done)
}
