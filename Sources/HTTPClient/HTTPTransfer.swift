internal import CCurl
internal import Runtime

typealias HTTPOutcome = Result<HTTPClientResponse, HTTPClientError>

/// One request on its way: what libcurl's callbacks fill, and the caller who waits.
///
/// Belongs to the loop of its client.
final class HTTPTransfer: @unchecked Sendable {
    let request: HTTPClientRequest
    private let bodyByteCountMax: Int
    private let headerByteCountMax: Int

    /// Set while libcurl works on it.
    var easy: UnsafeMutableRawPointer?
    var headerList: UnsafeMutablePointer<curl_slist>?
    var timer: LoopTimer?
    private var caller: UnsafeContinuation<HTTPOutcome, Never>?

    private(set) var isTooLarge = false
    private var headers: [(name: String, value: String)] = []
    private var headerByteCount = 0
    private var body: [UInt8] = []

    init(_ request: HTTPClientRequest, _ configuration: HTTPClientConfiguration) {
        self.request = request
        bodyByteCountMax = request.responseByteCountMax ?? configuration.responseByteCountMax
        headerByteCountMax = configuration.responseHeaderByteCountMax
    }

    var isAnswered: Bool { caller == nil }

    func wait(_ caller: UnsafeContinuation<HTTPOutcome, Never>) { self.caller = caller }

    /// Answers the caller; exactly once, later calls do nothing.
    func answer(_ outcome: HTTPOutcome) {
        timer?.cancel()
        timer = nil
        caller?.resume(returning: outcome)
        caller = nil
    }

    /// - Returns: False when the answer passes its bound; libcurl then ends the transfer.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if body.count + bytes.count > bodyByteCountMax {
            isTooLarge = true
            return false
        }
        if body.isEmpty { reserve() }
        body.append(contentsOf: bytes)
        return true
    }

    /// Takes one header line. A status line begins a new block: an interim answer is dropped.
    func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headerByteCount += bytes.count
        if headerByteCount > headerByteCountMax {
            isTooLarge = true
            return false
        }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            headers.removeAll()
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...].trimmingHTTPWhitespace()
            headers.append((line[..<colon].lowercased(), value))
        }
        return true
    }

    func response(status: Int) -> HTTPClientResponse {
        HTTPClientResponse(status: status, headers: headers, body: body)
    }

    private func reserve() {
        guard let header = headers.first(where: { $0.name == "content-length" }),
            let byteCount = Int(header.value), (0...bodyByteCountMax).contains(byteCount)
        else { return }
        body.reserveCapacity(byteCount)
    }
}

extension Substring {
    fileprivate func trimmingHTTPWhitespace() -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D || $0 == 0x0A }
        var bytes = utf8[...]
        while let first = bytes.first, isSpace(first) { bytes.removeFirst() }
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
