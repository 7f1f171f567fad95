using System.Text.Json;
using Coppice.Core;

namespace Coppice.Tests.Cli;

/// <summary>The words below <c>pool</c> and <c>memory</c>.</summary>
public sealed class PoolCommandTests : IDisposable
{
    private readonly Desk _desk = new();

    public void Dispose() => _desk.Dispose();

    [Theory]
    [InlineData("pool create-memory", "say how large (--size), or where (--folder)")]
    [InlineData("pool create-memory --volatile", "say how large (--size), or where (--folder)")]
    [InlineData("pool create-memory --size 1G --folder /mnt/x", "--folder")]
    [InlineData("pool create-memory --folder /mnt/x --volatile", "--folder")]
    [InlineData("pool create-memory --size large", "large")]
    [InlineData("pool", "")]
    [InlineData("memory", "")]
    [InlineData("memory status", "DOMAIN is missing")]
    public async Task What_contradicts_itself_is_refused(string line, string reason)
    {
        var typed = await _desk.TypeAsync(line.Split(' '));
        Assert.Equal(2, typed.ExitCode);
        Assert.Contains(reason, typed.Error, StringComparison.Ordinal);
        Assert.Null(_desk.Host.Volume);
    }

    [Fact]
    public async Task A_volume_is_made_listed_and_removed()
    {
        Assert.Equal("no memory volume\n", (await _desk.TypeAsync("pool", "list")).Output);
        var made = await _desk.TypeAsync("pool", "create-memory", "--size", "16G", "--volatile");
        Assert.Equal(0, made.ExitCode);
        Assert.Equal(new NewMemoryVolume(new ByteCount(16L << 30), IsVolatile: true), _desk.Host.Volume);
        Assert.Equal(
            """
            MEMORY VOLUME       SIZE    FREE  PROMISED  GUESTS
            FOLDER/home/volume  16 GiB  16 GiB  0 B     0       volatile
            """.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries), made.Output.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));

        var again = await _desk.TypeAsync("pool", "create-memory", "--size", "16G");
        Assert.NotEqual(0, again.ExitCode);
        Assert.Contains("is there already", again.Error, StringComparison.Ordinal);
        Assert.Equal("no memory volume\n", (await _desk.TypeAsync("pool", "delete-memory")).Output);
        await _desk.DoAsync("pool delete-memory", "pool mount");
    }

    [Fact]
    public async Task A_folder_is_meant_from_where_one_stands()
    {
        await _desk.DoAsync("pool create-memory --folder ram");
        Assert.Equal(new NewMemoryVolume(new ByteCount(1L << 40), Folder: Path.GetFullPath("ram")), _desk.Host.Volume);
    }

    [Fact]
    public async Task Who_removes_the_volume_is_asked_and_told_which_domain_needs_it()
    {
        await _desk.DoAsync("pool create-memory --size 16G");
        await _desk.StartAsync();
        var needed = await _desk.TypeAsync("pool", "delete-memory");
        Assert.NotEqual(0, needed.ExitCode);
        Assert.Contains("domain 'web' has its RAM there", needed.Error, StringComparison.Ordinal);
        Assert.Contains("coppice stop web", needed.Error, StringComparison.Ordinal);
        await _desk.DoAsync("kill web");
        _desk.IsTerminal = true;
        var asked = await _desk.TypeAsync("n\n", ["pool", "delete-memory"]);
        Assert.Equal(130, asked.ExitCode);
        Assert.Contains("Remove the memory volume? Checkpoints then wait for RAM. [y/N]", asked.Error, StringComparison.Ordinal);
        Assert.NotNull(_desk.Host.Volume);
        await _desk.DoAsync("pool delete-memory --yes");
        Assert.Null(_desk.Host.Volume);
    }

    [Fact]
    public async Task The_status_tells_which_way_is_taken_now_and_after_a_start_and_what_would_be_faster()
    {
        await _desk.DefineAsync();
        var off = await StatusAsync();
        Assert.Matches(@"checkpoints now +off\n", off);
        Assert.Matches(@"after a start +stream: the guest waits", off);
        Assert.Matches(@"because +the home has no memory volume\nfaster +make one: coppice pool create-memory --size SIZE\n", off);

        await _desk.DoAsync("start web", "pool create-memory --size 16G --volatile");
        var started = await StatusAsync();
        Assert.Matches(@"checkpoints now +stream: the guest waits", started);
        Assert.Matches(@"after a start +mapped: the guest does not wait for its RAM; gone after a loss of power\n", started);
        Assert.Matches(@"faster +stop and start it: coppice stop web\n", started);

        await _desk.DoAsync("kill web", "start web");
        var mapped = await StatusAsync();
        Assert.Matches(@"memory +256 MiB\n", mapped);
        Assert.Matches(@"checkpoints now +mapped", mapped);
        Assert.DoesNotContain("faster", mapped, StringComparison.Ordinal);
        await _desk.DoAsync("snapshot create web one");
        Assert.Contains("gone after a loss of power", (await _desk.TypeAsync("snapshot", "show", "web", "one")).Output, StringComparison.Ordinal);

        async Task<string> StatusAsync()
        {
            var typed = await _desk.TypeAsync("memory", "status", "web");
            Desk.Succeeded(typed);
            return typed.Output;
        }
    }

    [Fact]
    public async Task The_status_tells_that_a_checkpoint_finds_no_room_before_it_is_refused()
    {
        await _desk.DefineAsync();
        await _desk.DoAsync("pool create-memory --size 16G", "start web");
        Assert.DoesNotContain("no room", await StatusAsync(), StringComparison.Ordinal);

        // Others have filled it meanwhile.
        _desk.Host.Volume = new NewMemoryVolume(new ByteCount(8 << 20));
        Assert.Matches(@"no room +a checkpoint is refused now: .* are missing on the memory volume", await StatusAsync());
        Assert.NotEqual(0, (await _desk.TypeAsync("snapshot", "create", "web", "one")).ExitCode);

        async Task<string> StatusAsync() => (await _desk.TypeAsync("memory", "status", "web")).Output;
    }

    [Fact]
    public async Task All_of_it_is_JSON()
    {
        Assert.Equal("{\n  \"volumes\": []\n}\n", (await _desk.TypeAsync("pool", "list", "--json")).Output);
        await _desk.DoAsync("pool create-memory --size 16G");
        await _desk.StartAsync();
        Assert.Equal(
            """
            {
              "volumes": [
                {
                  "folder": "FOLDER/home/volume",
                  "isVolatile": false,
                  "capacityBytes": 17179869184,
                  "freeBytes": 17179869184,
                  "promisedBytes": 4096,
                  "guests": 1
                }
              ]
            }

            """,
            (await _desk.TypeAsync("pool", "list", "--json")).Output);
        Assert.Equal(
            """
            {
              "memory": {
                "domain": "web",
                "ramBytes": 268435456,
                "now": "mapped",
                "extents": 1,
                "missingBytes": 0,
                "isVolatile": false,
                "afterStart": "mapped",
                "reason": "",
                "nextStep": ""
              }
            }

            """,
            (await _desk.TypeAsync("memory", "status", "web", "--json")).Output);
        await _desk.DoAsync("kill web", "snapshot create web off");
        var off = (await _desk.TypeAsync("memory", "status", "web", "--json")).Json.GetProperty("memory");
        Assert.Equal((JsonValueKind.Null, JsonValueKind.Null), (off.GetProperty("now").ValueKind, off.GetProperty("extents").ValueKind));
        Assert.Equal(3, (await _desk.TypeAsync("memory", "status", "nobody")).ExitCode);
    }
}
