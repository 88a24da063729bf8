import Testing

@testable import Postgres

@Suite("ConnectionOptions")
struct ConnectionOptionsTests {
    @Test(
        "which hosts are names",
        arguments: [
            ("localhost", true), ("db.example", true), ("127.0.0.1", false), ("::1", false),
            ("/run/postgresql", false), ("@abstract", false), ("", false),
        ])
    func names(_ host: String, _ isName: Bool) {
        #expect(ConnectionOptions.isName(host) == isName)
    }

    @Test("every address of every host is tried, with its port")
    func addresses() throws {
        let configuration = PostgresConfiguration(
            connectionString: "postgresql://u@a.example:1,10.0.0.1:2,b.example:3/db")
        var options = try ConnectionOptions(configuration, role: .shared)
        #expect(options.hostNames == ["a.example", "10.0.0.1", "b.example"])
        options.setAddresses([["1.1.1.1", "::2"], [], ["3.3.3.3"]])
        #expect(options["host"] == "a.example,a.example,10.0.0.1,b.example")
        #expect(options["hostaddr"] == "1.1.1.1,::2,,3.3.3.3")
        #expect(options["port"] == "1,1,2,3")
        #expect(options.hostNames.isEmpty)
    }

    @Test("settings are escaped and follow the caller's own options")
    func settings() throws {
        var configuration = PostgresConfiguration(
            connectionString: "dbname=x options='-c geqo=off' application_name=mine")
        configuration.settings = [("search_path", #""a b", c\d"#)]
        let options = try ConnectionOptions(configuration, role: .exclusive)
        let start = #"-c geqo=off -c search_path="a\ b",\ c\\d -c client_connection"#
        #expect(options["options"]?.hasPrefix(start) == true)
        #expect(options["application_name"] == "mine")
    }
}
