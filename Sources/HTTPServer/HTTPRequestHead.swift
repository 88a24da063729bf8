/// The bytes of one request's target and header, filled by the parser and read-only afterwards.
///
/// Reused for later requests, through ``HTTPRequestHeadPool``, once nobody else holds it.
package final class HTTPRequestHead: @unchecked Sendable {
    /// Where one header line stands in `bytes`; the name is in lower case.
    struct Field {
        var nameStart: Int32
        var nameCount: Int32
        var valueStart: Int32
        var valueCount: Int32
    }

    var method = HTTPMethod.other
    var isVersion11 = true
    var isKeepAlive = true
    /// The target, then names and values.
    var bytes: [UInt8] = []
    var targetCount = 0
    var target = HTTPTarget()
    var fields: [Field] = []

    func reset() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        targetCount = 0
    }

    /// Checks the target once it is whole.
    func finishTarget() throws(HTTPServerError) {
        let result = bytes.withUnsafeBytes { bytes -> Result<HTTPTarget, HTTPServerError> in
            let target = UnsafeRawBufferPointer(rebasing: bytes[..<targetCount])
            return Result { () throws(HTTPServerError) in try HTTPTarget(target) }
        }
        target = try result.get()
    }

    func value(of field: Field) -> ArraySlice<UInt8> {
        bytes[Int(field.valueStart)..<Int(field.valueStart + field.valueCount)]
    }

    func name(of field: Field) -> ArraySlice<UInt8> {
        bytes[Int(field.nameStart)..<Int(field.nameStart + field.nameCount)]
    }

    func string(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}

/// Heads that wait for the next request, so that an idle connection holds none.
final class HTTPRequestHeadPool {
    private static let headCountMax = 256
    private static let keptByteCountMax = 8 * 1024

    private var heads: [HTTPRequestHead] = []

    func take() -> HTTPRequestHead { heads.popLast() ?? HTTPRequestHead() }

    /// Empties `slot`; keeps its head for later if that was the last reference to it.
    func recycle(_ slot: inout HTTPRequestHead?) {
        let isUnique = isKnownUniquelyReferenced(&slot)
        guard let head = slot else { return }
        slot = nil
        guard isUnique, heads.count < HTTPRequestHeadPool.headCountMax,
            head.bytes.capacity <= HTTPRequestHeadPool.keptByteCountMax
        else { return }
        head.reset()
        heads.append(head)
    }
}
