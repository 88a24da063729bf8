internal import JSON

/// The parts of `pack.json` about Redis.
extension PackManifest {
    static let liveKeys = [
        "states", "channels", "caches", "sessions", "limits", "configuration",
    ]

    static func liveRules(_ root: JSONValue, _ reader: inout ManifestReader) -> LiveRules {
        var rules = LiveRules()
        if let place = reader.string(root["owner"]?["place"], "owner.place") {
            rules.ownerPlace = place
        }
        rules.states = reader.object(root["states"], "states").compactMap { name, value in
            let rule = state(name, value, &reader)
            if let rule {
                let owner = root["owner"]?["entity"]?.string
                checkState(rule, value, ownerPath: owner, "states.\(name)", &reader)
            }
            return rule
        }
        rules.channels = reader.object(root["channels"], "channels").compactMap { name, value in
            channel(name, value, ownerPlace: rules.ownerPlace, &reader)
        }
        rules.caches = reader.object(root["caches"], "caches").compactMap { name, value in
            cache(name, value, &reader)
        }
        rules.sessions = sessions(root["sessions"], &reader)
        rules.limits = limits(root["limits"], &reader)
        rules.configuration = configuration(root["configuration"], &reader)
        return rules
    }

    // MARK: Sections

    private static func state(
        _ name: String, _ value: JSONValue, _ reader: inout ManifestReader
    ) -> StateRule? {
        let place = "states.\(name)"
        requirePathSegment(name, place, &reader)
        _ = reader.object(
            value, place,
            keys: [
                "of", "kind", "field", "key", "ttl", "itemsMax", "least", "schema", "channel",
                "message", "history",
            ])
        let of = reader.required(value["of"], "\(place).of")
        guard let kind = kind(value, place, &reader),
            let key = pattern(value["key"], "\(place).key", placeCount: 1, &reader)
        else { return nil }
        var history: HistoryRule?
        if let rule = value["history"] {
            _ = reader.object(rule, "\(place).history", keys: ["entity", "time"])
            history = HistoryRule(
                entityPath: reader.required(rule["entity"], "\(place).history.entity"),
                timeColumn: reader.required(rule["time"], "\(place).history.time"))
            if kind != .object {
                reader.complain("\(place).history", "only objects have one", "Leave it out.")
            }
        }
        return StateRule(
            name: name, entityPath: of, kind: kind, key: key,
            ttlSeconds: seconds(value["ttl"], "\(place).ttl", &reader),
            schema: value["schema"]?.serialized(),
            channel: value["channel"].flatMap {
                pattern($0, "\(place).channel", placeCount: 1, &reader)
            },
            message: value["message"]?.serialized(), history: history)
    }

    private static func kind(
        _ value: JSONValue, _ place: String, _ reader: inout ManifestReader
    ) -> StateRule.Kind? {
        switch reader.required(value["kind"], "\(place).kind") {
        case "object": return .object
        case "word": return .word(field: reader.required(value["field"], "\(place).field"))
        case "list":
            return .list(
                itemCountMax: integer(value["itemsMax"], "\(place).itemsMax", 1...10_000, &reader)
                    ?? 100)
        case "counter":
            let bounds = Int(Int32.min)...Int(Int32.max)
            return .counter(
                least: Int64(integer(value["least"], "\(place).least", bounds, &reader) ?? 0))
        default:
            reader.complain(
                "\(place).kind", "there is no such kind",
                "Use one of: object, word, list, counter.")
            return nil
        }
    }

    private static func channel(
        _ name: String, _ value: JSONValue, ownerPlace: String, _ reader: inout ManifestReader
    ) -> ChannelRule? {
        let place = "channels.\(name)"
        _ = reader.object(value, place, keys: ["schema", "publish", "changes"])
        checkSchema(value["schema"], "\(place).schema", &reader)
        guard let pattern = KeyPattern(name) else {
            reader.complain(place, "it is no pattern", "Write for example a:{id}:b.")
            return nil
        }
        if let changes = value["changes"], changes.kind != .array {
            reader.complain("\(place).changes", "it must be a list", "Write [ … ].")
        }
        let changes = (value["changes"].map { Array($0.elements) } ?? []).enumerated()
            .map { index, entry in change(entry, "\(place).changes[\(index)]", &reader) }
        if !changes.isEmpty, pattern.places.contains(where: { $0 != ownerPlace && $0 != "id" }) {
            reader.complain(
                place, "a change fills only {\(ownerPlace)} and {id}", "Rename the place.")
        }
        return ChannelRule(
            pattern: pattern, schema: value["schema"]?.serialized(), changes: changes,
            isPublishable: value["publish"] == nil
                || reader.bool(value["publish"], "\(place).publish"))
    }

    private static func change(
        _ value: JSONValue, _ place: String, _ reader: inout ManifestReader
    ) -> ChangeRule {
        _ = reader.object(value, place, keys: ["of", "view", "key", "actions"])
        let actions = value["actions"]
        _ = reader.object(actions, "\(place).actions", keys: ["created", "updated", "deleted"])
        func word(_ name: String) -> String? {
            actions == nil ? name : actions?[name]?.string
        }
        let told = [word("created"), word("updated"), word("deleted")].compactMap { $0 }
        return ChangeRule(
            entityPath: reader.required(value["of"], "\(place).of"),
            view: reader.required(value["view"], "\(place).view"),
            keyMember: reader.required(value["key"], "\(place).key"),
            created: word("created"), updated: word("updated"), deleted: word("deleted"),
            hasAction: told.contains { !$0.isEmpty })
    }

    private static func cache(
        _ name: String, _ value: JSONValue, _ reader: inout ManifestReader
    ) -> CacheRule? {
        let place = "caches.\(name)"
        _ = reader.object(value, place, keys: ["name", "of", "key", "ttl", "view"])
        let of = reader.required(value["of"], "\(place).of")
        let view = reader.required(value["view"], "\(place).view")
        let ttl = seconds(value["ttl"], "\(place).ttl", &reader)
        if ttl == nil { reader.complain("\(place).ttl", "it is missing", "Write \"15m\".") }
        guard let key = pattern(value["key"], "\(place).key", placeCount: 1, &reader) else {
            return nil
        }
        let path = reader.string(value["name"], "\(place).name") ?? name
        requirePathSegment(path, place, &reader)
        return CacheRule(
            name: path, entityPath: of, key: key, ttlSeconds: ttl ?? 1, view: view)
    }

    private static func sessions(
        _ value: JSONValue?, _ reader: inout ManifestReader
    ) -> SessionRule? {
        guard let value else { return nil }
        _ = reader.object(
            value, "sessions", keys: ["entity", "key", "ttl", "expires", "active", "address"])
        let entity = reader.required(value["entity"], "sessions.entity")
        let ttl = seconds(value["ttl"], "sessions.ttl", &reader)
        if ttl == nil { reader.complain("sessions.ttl", "it is missing", "Write \"3d\".") }
        guard let key = pattern(value["key"], "sessions.key", placeCount: 2, &reader) else {
            return nil
        }
        return SessionRule(
            entityPath: entity, key: key, ttlSeconds: ttl ?? 1,
            expiresColumn: reader.required(value["expires"], "sessions.expires"),
            activeColumn: reader.required(value["active"], "sessions.active"),
            addressColumn: reader.string(value["address"], "sessions.address"))
    }

    private static func limits(
        _ value: JSONValue?, _ reader: inout ManifestReader
    ) -> RateLimitKeys? {
        guard let value else { return nil }
        _ = reader.object(value, "limits", keys: ["client", "owner"])
        guard let client = pattern(value["client"], "limits.client", placeCount: 1, &reader) else {
            return nil
        }
        return RateLimitKeys(
            client: client,
            owner: value["owner"].flatMap {
                pattern($0, "limits.owner", placeCount: 1, &reader)
            })
    }

    private static func configuration(
        _ value: JSONValue?, _ reader: inout ManifestReader
    ) -> ConfigurationRule? {
        guard let value else { return nil }
        _ = reader.object(value, "configuration", keys: ["view", "key", "channel", "on"])
        let view = reader.required(value["view"], "configuration.view")
        guard let key = pattern(value["key"], "configuration.key", placeCount: 1, &reader) else {
            return nil
        }
        return ConfigurationRule(
            view: view, key: key,
            channel: value["channel"].flatMap {
                pattern($0, "configuration.channel", placeCount: 0, &reader)
            },
            sources: reader.strings(value["on"], "configuration.on"))
    }

    // MARK: Values

    private static func pattern(
        _ value: JSONValue?, _ place: String, placeCount: Int, _ reader: inout ManifestReader
    ) -> KeyPattern? {
        let text = reader.required(value, place)
        if text.isEmpty { return nil }
        guard let pattern = KeyPattern(text), pattern.places.count == placeCount else {
            reader.complain(
                place, "it must be a pattern with \(placeCount) places",
                "Write for example a:{id}:b.")
            return nil
        }
        return pattern
    }

    /// `90s`, `15m`, `24h`, `3d`.
    private static func seconds(
        _ value: JSONValue?, _ place: String, _ reader: inout ManifestReader
    ) -> Int? {
        guard let text = reader.string(value, place) else { return nil }
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int(text.dropLast()),
            (1...1_000_000).contains(number)
        else {
            reader.complain(place, "it is no time", "Write for example 90s, 15m, 24h or 3d.")
            return nil
        }
        return number * unit
    }

    private static func integer(
        _ value: JSONValue?, _ place: String, _ bounds: ClosedRange<Int>,
        _ reader: inout ManifestReader
    ) -> Int? {
        guard let value else { return nil }
        guard let number = value.int, bounds.contains(Int(number)) else {
            reader.complain(
                place, "it must be a whole number",
                "Write one from \(bounds.lowerBound) to \(bounds.upperBound).")
            return nil
        }
        return Int(number)
    }

    private static func requirePathSegment(
        _ name: String, _ place: String, _ reader: inout ManifestReader
    ) {
        if isPathSegment(name) { return }
        reader.complain(place, "a path may hold a-z, 0-9 and -", "Rename it.")
    }
}
