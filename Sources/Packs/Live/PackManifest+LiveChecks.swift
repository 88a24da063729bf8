internal import JSON

/// What is wrong with schemas and messages, told before anything is served.
extension PackManifest {
    static func checkSchema(
        _ value: JSONValue?, _ place: String, _ reader: inout ManifestReader
    ) {
        guard let value else { return }
        for error in JSONSchema.compile(value).errors {
            reader.complain(
                error.path.isEmpty ? place : "\(place).\(error.path)", error.message,
                "See \"Schemas\" in docs/PACKS.md.")
        }
    }

    static func checkState(
        _ rule: StateRule, _ value: JSONValue, ownerPath: String?, _ place: String,
        _ reader: inout ManifestReader
    ) {
        checkSchema(value["schema"], "\(place).schema", &reader)
        checkMessage(rule, "\(place).message", &reader)
        if rule.history != nil {
            if rule.ttlSeconds != nil {
                reader.complain(
                    "\(place).ttl", "what has a history does not end by itself",
                    "Leave out ttl or history.")
            }
            if rule.entityPath != ownerPath {
                reader.complain(
                    "\(place).history", "only states of the owner have one",
                    "Leave it out, or use \"of\": \"\(ownerPath ?? "…")\".")
            }
        }
    }

    private static func checkMessage(
        _ rule: StateRule, _ place: String, _ reader: inout ManifestReader
    ) {
        guard let text = rule.message else { return }
        if rule.channel == nil {
            reader.complain(place, "there is no channel for it", "Add \"channel\".")
        }
        let (template, unknown) = MessageTemplate.parse(text)
        for name in unknown {
            reader.complain(
                place, "\(name) stands for nothing",
                "Use $body, $body.x, $value, $previous or $now.")
        }
        guard let template, template.holes.contains(.previous) else { return }
        switch rule.kind {
        case .word, .counter: break
        case .object, .list:
            reader.complain(
                place, "$previous is for words and counters",
                "Leave it out: another client may have stored what is no JSON.")
        }
    }
}
