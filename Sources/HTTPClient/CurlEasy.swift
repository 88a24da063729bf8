internal import CCurl
internal import Runtime

/// Sets every option of a reset easy handle.
///
/// - Returns: False when libcurl refuses an option, which only the request's own values can cause.
func configure(
    _ easy: UnsafeMutableRawPointer, for transfer: HTTPTransfer,
    _ configuration: HTTPClientConfiguration
) -> Bool {
    let request = transfer.request
    guard ccurl_easy_set_string(easy, CURLOPT_URL, request.url) == CURLE_OK,
        ccurl_easy_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK
    else { return false }
    ccurl_easy_set_string(easy, CURLOPT_PROXY, "")
    ccurl_easy_set_long(easy, CURLOPT_NOSIGNAL, 1)
    ccurl_easy_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
    ccurl_easy_set_long(easy, CURLOPT_TCP_NODELAY, 1)
    ccurl_easy_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
    ccurl_easy_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    ccurl_easy_set_long(
        easy, CURLOPT_CONNECTTIMEOUT_MS, Int(configuration.connectTimeout.wholeMilliseconds))
    ccurl_easy_set_long(
        easy, CURLOPT_MAXAGE_CONN, Int(configuration.connectionIdleMax.components.seconds))
    let context = Unmanaged.passUnretained(transfer).toOpaque()
    ccurl_easy_set_receive(easy, CURLOPT_WRITEFUNCTION, onBody)
    ccurl_easy_set_pointer(easy, CURLOPT_WRITEDATA, context)
    ccurl_easy_set_receive(easy, CURLOPT_HEADERFUNCTION, onHeader)
    ccurl_easy_set_pointer(easy, CURLOPT_HEADERDATA, context)
    setHeaders(easy, transfer)
    return setMethod(easy, request)
}

private func setMethod(_ easy: UnsafeMutableRawPointer, _ request: HTTPClientRequest) -> Bool {
    switch request.method {
    case .get:
        return ccurl_easy_set_long(easy, CURLOPT_HTTPGET, 1) == CURLE_OK
    case .head:
        return ccurl_easy_set_long(easy, CURLOPT_NOBODY, 1) == CURLE_OK
    case .post, .put, .patch, .delete:
        // The size first: libcurl copies that many bytes.
        ccurl_easy_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int(request.body.count))
        let status = request.body.withUnsafeBytes {
            ccurl_easy_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, $0.baseAddress ?? emptyBody)
        }
        guard status == CURLE_OK else { return false }
        return ccurl_easy_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method.rawValue)
            == CURLE_OK
    }
}

private func setHeaders(_ easy: UnsafeMutableRawPointer, _ transfer: HTTPTransfer) {
    // An empty `Expect:` and `Content-Type:` keep libcurl from adding its own.
    var list = curl_slist_append(nil, "Expect:")
    if !transfer.request.headers.contains(where: { $0.name.lowercased() == "content-type" }) {
        list = curl_slist_append(list, "Content-Type:")
    }
    for header in transfer.request.headers {
        // libcurl sends a header without a value only when it ends with a semicolon.
        let line = header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)"
        list = curl_slist_append(list, line)
    }
    transfer.headerList = list
    ccurl_easy_set_list(easy, CURLOPT_HTTPHEADER, list)
}

/// Whether libcurl came as far as sending the request.
func requestMayHaveBeenSent(_ easy: UnsafeMutableRawPointer) -> Bool {
    var microseconds: curl_off_t = 0
    ccurl_easy_get_offset(easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds)
    var byteCount = 0
    ccurl_easy_get_long(easy, CURLINFO_REQUEST_SIZE, &byteCount)
    return microseconds > 0 || byteCount > 0
}

func makeError(_ code: CURLcode, wasSent: Bool) -> HTTPClientError {
    switch code {
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT:
        .invalidRequest
    case CURLE_OPERATION_TIMEDOUT:
        // The only timeout libcurl knows of is the one for connecting.
        wasSent ? .timedOut(mayHaveBeenApplied: true) : .unreachable
    default:
        wasSent ? .connectionLost(mayHaveBeenApplied: true) : .unreachable
    }
}

nonisolated(unsafe) private let emptyBody = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))

private func onBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let isTaken = Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
        .receiveBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
    return isTaken ? size * count : 0
}

private func onHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let isTaken = Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
        .receiveHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
    return isTaken ? size * count : 0
}
