using System.Net.Sockets;
using System.Text;
using Coppice.Cli;

namespace Coppice.Tests.Cli;

public sealed class ConsoleTests
{
    [Fact]
    public async Task What_is_typed_reaches_the_guest_until_the_escape_character()
    {
        using var line = new Line();
        using var shown = new MemoryStream();

        await new ConsoleSession(line.Near, new MemoryStream("ls\r\u001drm -rf /\r"u8.ToArray()), shown).RunAsync(default);
        line.Near.Dispose();

        Assert.Equal("ls\r", await line.HeardAsync());
    }

    [Fact]
    public async Task What_the_guest_says_is_shown_until_it_hangs_up_also_when_nothing_more_is_typed()
    {
        using var line = new Line();
        using var shown = new MemoryStream();

        var session = new ConsoleSession(line.Near, new MemoryStream("hello\r"u8.ToArray()), shown).RunAsync(default);
        await line.Far.WriteAsync("login: "u8.ToArray());
        await line.Far.ReadExactlyAsync(new byte["hello\r".Length]);
        line.Far.Dispose();
        await session;

        Assert.Equal("login: ", Encoding.UTF8.GetString(shown.ToArray()));
    }

    [Fact]
    public async Task A_guest_that_ends_without_having_read_what_was_typed_hangs_up_as_well()
    {
        using var line = new Line();
        await line.Near.WriteAsync("unread"u8.ToArray());
        line.Far.Dispose();

        await new ConsoleSession(line.Near, new MemoryStream("more\r"u8.ToArray()), Stream.Null).RunAsync(default);
    }

    [Fact]
    public async Task A_domain_that_is_off_has_no_console()
    {
        using var desk = new Desk();
        await desk.DefineAsync();

        var typed = await desk.TypeAsync("console", "web");

        Assert.Equal((5, "coppice: domain 'web': is off: it has no console; start it: coppice start web\n"), (typed.ExitCode, typed.Error));
    }

    /// <summary>A serial line: what is written at one end is read at the other.</summary>
    private sealed class Line : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("coppice-line-").FullName;

        public Line()
        {
            var address = new UnixDomainSocketEndPoint($"{_folder}/s");
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(address);
            listener.Listen();
            var near = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            near.Connect(address);
            Near = new NetworkStream(near, ownsSocket: true);
            Far = new NetworkStream(listener.Accept(), ownsSocket: true);
        }

        public NetworkStream Near { get; }

        public NetworkStream Far { get; }

        public async Task<string> HeardAsync() => await new StreamReader(Far).ReadToEndAsync();

        public void Dispose()
        {
            Near.Dispose();
            Far.Dispose();
            Directory.Delete(_folder, recursive: true);
        }
    }
}
