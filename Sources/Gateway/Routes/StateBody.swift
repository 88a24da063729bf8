internal import HTTPServer
internal import JSON
internal import Live
internal import Packs
internal import Redis

/// The checked body of a write to a state.
struct StateBody {
    private let state: ServedState
    private let document: JSONDocument
    private var root: JSONValue { document.root }

    /// - Throws: 413 over the limit, 400 for what the schema refuses.
    init(_ context: RequestContext, _ state: ServedState) throws(Problem) {
        guard context.request.body.count <= state.limits.valueByteCountMax else {
            throw Problem(
                .bodyTooLarge,
                "A state may have \(state.limits.valueByteCountMax) bytes (FOURFOLD_STATE_MAX).")
        }
        self.state = state
        document = try context.json()
        guard document.root.kind == .object else {
            throw Problem(.invalidBody, "The body must be an object.")
        }
        if let errors = state.schema?.errors(in: document.root), !errors.isEmpty {
            throw StateBody.problem(
                errors.map { FieldError($0.path.isEmpty ? "body" : $0.path, $0.message) })
        }
        guard StateBody.numbers.allow(document.root) else {
            throw StateBody.problem([
                FieldError("body", "holds a number that is too large or too small")
            ])
        }
    }

    private static let numbers = JSONNumberBounds(refusesUnderflow: true)

    private static func problem(_ errors: [FieldError]) -> Problem {
        Problem(
            .invalidValue, "The body does not fit the schema of the state.",
            hint: "Correct the fields in errors.", errors: errors)
    }

    /// What to run for it.
    ///
    /// - Parameter isChange: POST: an item more, or a number to add.
    func operation(
        isChange: Bool, condition: String, id: String
    ) throws(Problem) -> StateRequest.Operation {
        let text = root.serialized()
        switch state.rule.kind {
        case .object:
            let value = StateValue(json: text, tag: StateTag.make(text))
            return write(state.scripts.replace, condition, text, text, known: value, id: id)
        case .word(let field):
            return try word(field, condition, text, id: id)
        case .list(let itemCountMax):
            if isChange {
                let item = try itemText(root["item"], "item")
                return write(state.scripts.change, condition, item, text, known: nil, id: id)
            }
            return .write(
                state.scripts.replace, try list(itemCountMax, condition, text), nil)
        case .counter:
            let number = try number(isChange ? "add" : "value")
            let script = isChange ? state.scripts.change : state.scripts.replace
            let argument = Array(String(number).utf8)
            return write(script, condition, argument, text, known: nil, id: id)
        }
    }

    private func write(
        _ script: RedisScript, _ condition: String, _ argument: [UInt8], _ text: [UInt8],
        known: StateValue?, id: String
    ) -> StateRequest.Operation {
        var arguments: [RedisArgument] = [.text(condition), .bytes(argument)]
        arguments += parts(text, value: known?.json)
        if state.stream != nil { arguments.append(.text(id)) }
        return .write(script, arguments, known)
    }

    private func parts(_ text: [UInt8], value: [UInt8]?) -> [RedisArgument] {
        guard state.rule.channel != nil else { return [] }
        return state.template.fill(body: root, bodyText: text, value: value)
            .map { .bytes($0) }
    }

    private func word(
        _ field: String, _ condition: String, _ text: [UInt8], id: String
    ) throws(Problem) -> StateRequest.Operation {
        guard let word = root[field]?.string, !word.isEmpty else {
            throw StateBody.problem([FieldError(field, "must be a string that is not empty")])
        }
        let bytes = Array(word.utf8)
        var writer = JSONWriter(capacity: bytes.count + 32)
        writer.string(word)
        var shown = JSONWriter(capacity: bytes.count + 32)
        shown.beginObject()
        shown.key(field)
        shown.raw(writer.bytes)
        shown.endObject()
        let value = StateValue(json: shown.bytes, tag: StateTag.make(bytes))
        var arguments: [RedisArgument] = [.text(condition), .bytes(bytes)]
        arguments += parts(text, value: writer.bytes)
        return .write(state.scripts.replace, arguments, value)
    }

    /// No repeats, as ever in such a list: the first of each stays.
    private func list(
        _ itemCountMax: Int, _ condition: String, _ text: [UInt8]
    ) throws(Problem) -> [RedisArgument] {
        guard let list = root["items"], list.kind == .array else {
            throw StateBody.problem([FieldError("items", "must be a list of strings")])
        }
        guard list.count <= itemCountMax else {
            throw StateBody.problem([
                FieldError("items", "must have at most \(itemCountMax) elements")
            ])
        }
        var seen: Set<[UInt8]> = []
        var items: [RedisArgument] = []
        for (index, element) in list.elements.enumerated() {
            let item = try itemText(element, "items.\(index)")
            if seen.insert(item).inserted { items.append(.bytes(item)) }
        }
        return [.text(condition), .bytes([])] + parts(text, value: nil) + items
    }

    private func itemText(_ value: JSONValue?, _ field: String) throws(Problem) -> [UInt8] {
        let longest = state.limits.itemByteCountMax
        guard let text = value?.string, (1...longest).contains(text.utf8.count) else {
            throw StateBody.problem([
                FieldError(field, "must be a string of 1 to \(longest) bytes")
            ])
        }
        return Array(text.utf8)
    }

    private func number(_ field: String) throws(Problem) -> Int64 {
        let bounds = -StateLimits.counterMax...StateLimits.counterMax
        guard let number = root[field]?.int, bounds.contains(number) else {
            throw StateBody.problem([
                FieldError(field, "must be a whole number of at most ±(2^53-1)")
            ])
        }
        return number
    }
}
