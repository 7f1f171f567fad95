using Coppice.Core;

namespace Coppice.Tests.Cli;

/// <summary><c>snapshot verify --boot</c>, typed: what cannot be tried keeps no other snapshot from it.</summary>
public sealed class VerifyBootCommandTests : IDisposable
{
    private readonly Desk _desk = new();

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task A_host_without_room_for_one_guest_says_nothing_of_the_snapshot_and_the_others_are_tried()
    {
        await BeginAsync();
        FailLaunches(1);
        var typed = await _desk.TypeAsync("snapshot", "verify", "web", "--boot");
        Assert.Equal(10, typed.ExitCode);
        Assert.Contains("one: the guest was not tried: ", typed.Output, StringComparison.Ordinal);
        Assert.Contains("two: the guest runs", typed.Output, StringComparison.Ordinal);
        Assert.Contains("STATE", typed.Output, StringComparison.Ordinal);

        FailLaunches(1);
        var booted = (await _desk.TypeAsync("snapshot", "verify", "web", "--boot", "--json")).Json.GetProperty("booted");
        Assert.Equal(["not-tried", "runs"], booted.EnumerateArray().Select(b => b.GetProperty("end").GetString()));
    }

    [Fact]
    public async Task A_guest_that_did_not_come_up_decides_the_exit_code_whatever_was_not_tried()
    {
        await BeginAsync();
        FailLaunches(1);
        _desk.Host.GuestsComeUp = false;
        var typed = await _desk.TypeAsync("snapshot", "verify", "web", "--boot");
        Assert.Contains("two: the guest did not come up: its kernel has panicked", typed.Output, StringComparison.Ordinal);
        Assert.Equal(12, typed.ExitCode);
    }

    private Task BeginAsync() => BeginAsync("snapshot create web one", "snapshot create web two");

    private async Task BeginAsync(params string[] lines)
    {
        await _desk.StartAsync();
        await _desk.DoAsync(lines);
    }

    private void FailLaunches(int count) => _desk.Host.Acting = what =>
    {
        if (what == "launch" && count-- > 0)
        {
            throw new CoppiceException(ErrorKind.Storage, "overlay", "the disk is full");
        }
    };
}
