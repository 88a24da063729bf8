package import JSON

/// The message of a write, as JSON in which texts that begin with `$` stand for values.
///
/// What the gateway knows is filled in by ``fill(body:value:holes:)``; what only Redis knows at the
/// moment of the write is left as a hole between two parts.
package struct MessageTemplate: Sendable {
    /// What Redis fills in.
    package enum Hole: Sendable, Equatable {
        /// What was there before; null where nothing was.
        case previous
        /// What is there now.
        case value
        /// Milliseconds since 1970, by the clock of Redis.
        case now
    }

    private indirect enum Node: Sendable {
        case constant([UInt8])
        case object([(key: [UInt8], node: Node)])
        case array([Node])
        case body
        /// Left out of an object, and null elsewhere, where the body has no such member.
        case member(String)
        case hole(Hole)
    }

    private let root: Node

    /// The template that is the body.
    package static let body = MessageTemplate(root: .body)

    private init(root: Node) { self.root = root }

    /// - Returns: The template, or the places that stand for nothing that is known.
    package static func parse(_ text: [UInt8]) -> (template: MessageTemplate?, unknown: [String]) {
        guard let document = try? JSONDocument.parse(text) else { return (nil, ["$"]) }
        var unknown: [String] = []
        let root = node(document.root, &unknown)
        return unknown.isEmpty ? (MessageTemplate(root: root), []) : (nil, unknown)
    }

    private static func node(_ value: JSONValue, _ unknown: inout [String]) -> Node {
        switch value.kind {
        case .object:
            var members: [(key: [UInt8], node: Node)] = []
            for (key, member) in value.members {
                var writer = JSONWriter()
                writer.key(key)
                members.append((writer.bytes, node(member, &unknown)))
            }
            return .object(members)
        case .array: return .array(value.elements.map { node($0, &unknown) })
        case .string:
            guard let text = value.string, text.hasPrefix("$") else {
                return .constant(value.serialized())
            }
            return node(named: text, &unknown)
        case .null, .bool, .number: return .constant(value.serialized())
        }
    }

    private static func node(named text: String, _ unknown: inout [String]) -> Node {
        switch text {
        case "$body": return .body
        case "$previous": return .hole(.previous)
        case "$value": return .hole(.value)
        case "$now": return .hole(.now)
        default:
            let prefix = "$body."
            if text.hasPrefix(prefix), text.count > prefix.count {
                return .member(String(text.dropFirst(prefix.count)))
            }
            unknown.append(text)
            return .body
        }
    }

    /// The values that it stands for, besides the body, in order.
    package var holes: [Hole] {
        var holes: [Hole] = []
        MessageTemplate.collect(root, &holes)
        return holes
    }

    private static func collect(_ node: Node, _ holes: inout [Hole]) {
        switch node {
        case .constant, .body, .member: break
        case .hole(let hole): holes.append(hole)
        case .object(let members): for (_, node) in members { collect(node, &holes) }
        case .array(let nodes): for node in nodes { collect(node, &holes) }
        }
    }

    /// Fills in what is known.
    ///
    /// - Parameters:
    ///   - body: The request's body as JSON.
    ///   - value: What the state becomes, as JSON; nil where only Redis knows.
    /// - Returns: The parts of the message: one more than there are holes left.
    package func fill(body: JSONValue, bodyText: [UInt8], value: [UInt8]?) -> [[UInt8]] {
        if case .body = root { return [bodyText] }
        var filling = Filling(body: body, bodyText: bodyText, value: value)
        filling.add(root)
        return filling.parts + [filling.part]
    }

    private struct Filling {
        let body: JSONValue
        let bodyText: [UInt8]
        let value: [UInt8]?
        var parts: [[UInt8]] = []
        var part: [UInt8] = []

        init(body: JSONValue, bodyText: [UInt8], value: [UInt8]?) {
            self.body = body
            self.bodyText = bodyText
            self.value = value
            part.reserveCapacity(128)
        }

        mutating func add(_ node: Node) {
            switch node {
            case .constant(let text): part.append(contentsOf: text)
            case .body: part.append(contentsOf: bodyText)
            case .member(let name):
                if let member = body[name] {
                    member.serialize(into: &part)
                } else {
                    part.append(contentsOf: Filling.null)
                }
            case .hole(.value) where value != nil: part.append(contentsOf: value ?? [])
            case .hole:
                parts.append(part)
                part = []
            case .object(let members): add(members)
            case .array(let nodes):
                part.append(UInt8(ascii: "["))
                for (index, node) in nodes.enumerated() {
                    if index > 0 { part.append(UInt8(ascii: ",")) }
                    add(node)
                }
                part.append(UInt8(ascii: "]"))
            }
        }

        private mutating func add(_ members: [(key: [UInt8], node: Node)]) {
            part.append(UInt8(ascii: "{"))
            var isFirst = true
            for (key, node) in members {
                if case .member(let name) = node, body[name] == nil { continue }
                if !isFirst { part.append(UInt8(ascii: ",")) }
                isFirst = false
                part.append(contentsOf: key)
                add(node)
            }
            part.append(UInt8(ascii: "}"))
        }

        private static let null = Array("null".utf8)
    }
}
