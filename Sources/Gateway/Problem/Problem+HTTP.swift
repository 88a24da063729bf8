internal import HTTPServer

extension Problem {
    /// The answer to the client.
    ///
    /// - Parameter instance: The path of the request, without its query.
    func response(instance: String?) -> HTTPResponse {
        var headers: HTTPHeaders = ["Content-Type": Problem.contentType]
        for header in self.headers { headers.append(header.name, header.value) }
        return HTTPResponse(
            status: status, headers: headers, body: .bytes(json(instance: instance)))
    }

    /// A request that the server refused by itself.
    init(_ error: HTTPServerError) {
        let code: ProblemCode =
            switch error {
            case .malformedRequest, .ambiguousLength, .hostInvalid, .targetInvalid,
                .requestIncomplete:
                .malformedRequest
            case .headerTimedOut, .bodyTimedOut: .requestTimedOut
            case .bodyTooLarge: .bodyTooLarge
            case .targetTooLong: .urlTooLong
            case .expectationUnknown: .expectationFailed
            case .headerTooLarge: .headersTooLarge
            case .methodUnknown, .transferEncodingUnknown: .notImplemented
            case .overloaded: .overloaded
            case .versionUnsupported: .versionUnsupported
            }
        self.init(code, error.detail)
    }
}
