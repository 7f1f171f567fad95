using Coppice.Cli;
using Coppice.Core;

namespace Coppice.Tests.Cli;

public sealed class ExitCodeTests
{
    public static TheoryData<ErrorKind, int> Table => new()
    {
        { ErrorKind.Internal, 1 },
        { ErrorKind.InvalidInput, 2 },
        { ErrorKind.NotFound, 3 },
        { ErrorKind.AlreadyExists, 4 },
        { ErrorKind.WrongState, 5 },
        { ErrorKind.MissingCapability, 6 },
        { ErrorKind.WouldLose, 7 },
        { ErrorKind.Busy, 8 },
        { ErrorKind.Forbidden, 9 },
        { ErrorKind.Storage, 10 },
        { ErrorKind.Hypervisor, 11 },
        { ErrorKind.Damaged, 12 },
        { ErrorKind.Uncertain, 13 },
        { ErrorKind.Cancelled, 130 },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public async Task Each_kind_of_error_has_its_exit_code_and_is_printed_in_both_forms(ErrorKind kind, int exitCode)
    {
        using var desk = new Desk { Opening = () => throw new CoppiceException(kind, "disk 'vda'", "is odd", "turn it round") };

        var human = await desk.TypeAsync("list");
        var json = await desk.TypeAsync("list", "--json");

        Assert.Equal((exitCode, "", "coppice: disk 'vda': is odd; turn it round\n"), (human.ExitCode, human.Output, human.Error));
        Assert.Equal((exitCode, ""), (json.ExitCode, json.Error));
        var error = json.Json.GetProperty("error");
        Assert.Equal(kind.ToString(), error.GetProperty("kind").GetString(), ignoreCase: true);
        Assert.Equal(exitCode, error.GetProperty("exitCode").GetInt32());
    }

    [Fact]
    public void Every_kind_is_in_the_table_and_no_two_share_a_code()
    {
        var codes = Enum.GetValues<ErrorKind>().Select(ExitCode.Of).ToArray();

        Assert.Equal(codes.Length, codes.Distinct().Count());
        Assert.Equal(Enum.GetValues<ErrorKind>().Length, Table.Count);
    }

    [Fact]
    public async Task A_defect_ends_as_an_error_in_the_promised_form_too()
    {
        using var desk = new Desk { Opening = () => throw new InvalidOperationException("oops") };

        var typed = await desk.TypeAsync("list", "--json");

        Assert.Equal(1, typed.ExitCode);
        Assert.Equal("internal", typed.Json.GetProperty("error").GetProperty("kind").GetString());
        Assert.Contains("oops", typed.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", typed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Escape_sequences_in_an_error_do_not_reach_the_terminal()
    {
        using var desk = new Desk();

        var typed = await desk.TypeAsync("show", "\u001b]0;owned\u0007");

        Assert.Equal(3, typed.ExitCode);
        Assert.DoesNotContain('\u001b', typed.Error);
    }
}
