/// The hops that a proxy's header tells, from the right: the nearest first.
///
/// What stands to the left of a hop was sent by that hop and may be anything, so it is not looked
/// at before the hop was judged: garbage on the left cannot hide what a proxy added on the right.
struct ForwardedNodes: Sequence, IteratorProtocol {
    enum Node: Equatable {
        case address(IPAddress)
        /// `unknown`, an obfuscated name, or what is no node at all.
        case unidentified
    }

    enum Form {
        /// `Forwarded` (RFC 7239).
        case forwarded
        /// `X-Forwarded-For`: addresses, separated by commas.
        case xForwardedFor
    }

    private let form: Form
    private var rest: Substring.UTF8View

    init(_ value: String, _ form: Form) {
        self.form = form
        rest = Substring(value).utf8
    }

    mutating func next() -> Node? {
        while let element = takeLastElement() {
            let text = Substring(element).trimmingSpaces
            // Empty elements of a list mean nothing (RFC 9110 §5.6.1).
            if text.isEmpty { continue }
            switch form {
            case .xForwardedFor: return ForwardedNodes.node(text)
            case .forwarded:
                return ForwardedNodes.forValue(text).map(ForwardedNodes.node) ?? .unidentified
            }
        }
        return nil
    }

    // MARK: Lists

    private var isAtEnd = false

    private mutating func takeLastElement() -> Substring.UTF8View? {
        if isAtEnd { return nil }
        var isQuoted = false
        var index = rest.endIndex
        while index > rest.startIndex {
            index = rest.index(before: index)
            switch rest[index] {
            case UInt8(ascii: "\"") where form == .forwarded:
                if !isQuoted {
                    isQuoted = true
                } else if !isEscaped(index) {
                    isQuoted = false
                }
            case UInt8(ascii: ",") where !isQuoted:
                let element = rest[rest.index(after: index)...]
                rest = rest[..<index]
                return element
            default: break
            }
        }
        isAtEnd = true
        return rest
    }

    /// Whether an odd number of backslashes stands before it.
    private func isEscaped(_ index: Substring.UTF8View.Index) -> Bool {
        var count = 0
        var before = index
        while before > rest.startIndex {
            before = rest.index(before: before)
            guard rest[before] == UInt8(ascii: "\\") else { break }
            count += 1
        }
        return count % 2 == 1
    }

    // MARK: One element

    /// The value of `for` of one element; nil if there is none, two, or the element is no list of
    /// pairs.
    private static func forValue(_ element: Substring) -> Substring? {
        var found: Substring?
        var rest = element
        while !rest.isEmpty {
            guard let equals = rest.firstIndex(of: "=") else { return nil }
            let name = rest[..<equals].trimmingSpaces.lowercased()
            guard let (value, end) = value(rest[rest.index(after: equals)...]) else { return nil }
            if name == "for" {
                if found != nil { return nil }
                found = value
            }
            rest = end.trimmingSpaces
            if rest.isEmpty { break }
            guard rest.first == ";" else { return nil }
            rest = rest.dropFirst()
        }
        return found
    }

    /// A token or a quoted string, and what follows it.
    private static func value(_ text: Substring) -> (value: Substring, rest: Substring)? {
        guard text.first == "\"" else {
            let end = text.firstIndex(of: ";") ?? text.endIndex
            let token = text[..<end].trimmingSpaces
            return token.contains("\"") ? nil : (token, text[end...])
        }
        var value = ""
        var isEscaped = false
        var index = text.index(after: text.startIndex)
        while index < text.endIndex {
            let character = text[index]
            index = text.index(after: index)
            if isEscaped {
                value.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                return (Substring(value), text[index...])
            } else {
                value.append(character)
            }
        }
        return nil
    }

    /// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
    private static func node(_ text: Substring) -> Node {
        var host = text
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]"), isPort(text[text.index(after: close)...])
            else { return .unidentified }
            host = text[..<close].dropFirst()
            guard host.contains(":") else { return .unidentified }
        } else if let colon = text.firstIndex(of: ":"), text.firstIndex(of: ".") != nil,
            text.lastIndex(of: ":") == colon, isPort(text[colon...])
        {
            host = text[..<colon]
        }
        return IPAddress(host).map(Node.address) ?? .unidentified
    }

    /// Nothing, or a colon and a port, which may be obfuscated as well.
    private static func isPort(_ text: Substring) -> Bool {
        if text.isEmpty { return true }
        return text.first == ":" && text.count > 1
            && text.dropFirst().utf8.allSatisfy { byte in
                byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
                    || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
            }
    }
}
