internal import CLlhttp

/// Cuts a byte stream into checked requests. It does no I/O.
///
/// Strict llhttp, and on top of it: limits, Host, Expect, target, and only `chunked` as transfer
/// encoding. After `.failed` the parser must not be fed again.
package struct HTTPRequestParser {
    package enum Outcome: Equatable {
        /// All bytes were taken.
        case needsMore
        /// A request is whole, see ``takeRequest()``; bytes after `consumed` belong to the next.
        case request(consumed: Int)
        case failed(HTTPServerError)
    }

    package enum Phase {
        /// Between requests: nothing of the next one has come.
        case idle
        case header
        case body
    }

    // First, so that llhttp's pointer and the parser's own are the same address.
    var llhttp = llhttp_t()
    let limits: HTTPRequestLimits
    let pool: HTTPRequestHeadPool

    package internal(set) var phase = Phase.idle
    var head: HTTPRequestHead?
    var body: [UInt8] = []
    var failure: HTTPServerError?
    private var isPaused = false
    private var headerFedByteCount = 0

    var headerByteCount = 0
    var field = HTTPRequestHead.Field(nameStart: 0, nameCount: 0, valueStart: 0, valueCount: 0)
    var hostCount = 0
    var transferEncodingCount = 0
    var expectsContinue = false
    var isVersionAccepted = false

    package init(limits: HTTPRequestLimits) {
        self.init(limits: limits, pool: HTTPRequestHeadPool())
    }

    init(limits: HTTPRequestLimits, pool: HTTPRequestHeadPool) {
        self.limits = limits
        self.pool = pool
        llhttp_init(&llhttp, HTTP_REQUEST, parserSettings)
    }

    /// Body bytes held for the request under way.
    var bodyByteCount: Int { body.count }

    /// Takes the next bytes, in pieces of any size.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return .needsMore }
        if phase != .body {
            headerFedByteCount += bytes.count
        }
        let wasPaused = isPaused
        isPaused = false
        let status = withUnsafeMutablePointer(to: &self) { parser in
            let llhttp = UnsafeMutableRawPointer(parser).assumingMemoryBound(to: llhttp_t.self)
            if wasPaused { llhttp_resume(llhttp) }
            return llhttp_execute(llhttp, start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        switch status {
        case HPE_OK:
            return checkUnfinishedHeader()
        case HPE_PAUSED:
            isPaused = true
            headerFedByteCount = 0
            let end = UnsafeRawPointer(llhttp_get_error_pos(&llhttp))
            return .request(consumed: end.map { $0 - start } ?? bytes.count)
        default:
            return .failed(failure ?? error(status))
        }
    }

    /// The request that ``feed(_:)`` reported; once.
    package mutating func takeRequest() -> HTTPRequest? {
        guard let parsed = takeParts() else { return nil }
        return HTTPRequest(head: parsed.head, body: parsed.body, connection: nil)
    }

    mutating func takeParts() -> (head: HTTPRequestHead, body: [UInt8])? {
        guard let head else { return nil }
        let body = body
        self.head = nil
        self.body = []
        return (head, body)
    }

    /// Frees what was received; nothing may be fed afterwards.
    mutating func dropRequest() {
        head = nil
        body = []
    }

    /// Whether the client waits for `100 Continue` before it sends the body; true once.
    mutating func takeExpectation() -> Bool {
        guard expectsContinue, phase == .body, body.isEmpty else { return false }
        expectsContinue = false
        return true
    }

    /// Blanks that llhttp skips without a callback count too, else a header could last for ever.
    private func checkUnfinishedHeader() -> Outcome {
        let byteCountMax = limits.headerByteCountMax + limits.targetByteCountMax
        let isHeader = phase != .body
        return isHeader && headerFedByteCount > byteCountMax ? .failed(.headerTooLarge) : .needsMore
    }

    private func error(_ status: llhttp_errno_t) -> HTTPServerError {
        switch status {
        // llhttp says the same for a line end it does not like after a version it does.
        case HPE_INVALID_VERSION where isVersionAccepted: .malformedRequest
        case HPE_INVALID_METHOD: .methodUnknown
        case HPE_INVALID_VERSION, HPE_PAUSED_H2_UPGRADE: .versionUnsupported
        case HPE_INVALID_URL: .targetInvalid
        case HPE_INVALID_CONTENT_LENGTH, HPE_UNEXPECTED_CONTENT_LENGTH, HPE_INVALID_CHUNK_SIZE,
            HPE_INVALID_TRANSFER_ENCODING:
            .ambiguousLength
        default: .malformedRequest
        }
    }
}
