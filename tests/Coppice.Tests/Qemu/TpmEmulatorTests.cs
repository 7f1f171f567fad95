using Coppice.Core;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Tpm;

namespace Coppice.Tests.Qemu;

/// <summary>What is told of an emulator that is missing, fails or says nothing.</summary>
public sealed class TpmEmulatorTests : IDisposable
{
    private static readonly DomainDefinition s_web = new()
    {
        Id = new DomainId(Guid.Empty), Name = "web", Memory = new ByteCount(1 << 20), Devices = [new TpmDevice { Model = TpmModel.Crb }],
    };

    private readonly string _root = Directory.CreateTempSubdirectory("ct-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void One_that_is_not_installed_is_missed_only_by_domains_with_a_TPM()
    {
        var emulator = new TpmEmulator("/nowhere/swtpm", TimeProvider.System);
        var error = Assert.Throws<CoppiceException>(() => emulator.Require(s_web));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains("/nowhere/swtpm", error.Problem, StringComparison.Ordinal);
        Assert.Contains("swtpm-tools", error.NextStep, StringComparison.Ordinal);
        emulator.Require(s_web with { Devices = [] });
    }

    [Fact]
    public async Task What_a_maker_complains_about_is_told()
    {
        var emulator = Program("exit 0", "echo making it; echo no room left >&2; exit 1");
        var error = await Assert.ThrowsAsync<CoppiceException>(() => emulator.MakeAsync(new TpmState($"{_root}/state"), Cancellation));
        Assert.Equal(ErrorKind.Hypervisor, error.Kind);
        Assert.Contains("no room left", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_ends_before_it_listens_is_told_with_what_it_said()
    {
        var error = await Assert.ThrowsAsync<CoppiceException>(() => StartAsync("echo cannot do that >&2; exit 3"));
        Assert.Contains("cannot do that", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_listens_is_ended_with_its_run_folder_and_can_be_ended_again()
    {
        var (emulator, folder) = await StartAsync(": >tpm.sock; exec sleep 60");
        var process = new RunProcess(folder, ProcessFiles.Tpm, TimeProvider.System);
        Assert.NotNull(process.Pid);
        await emulator.EndAsync(folder, Cancellation);
        Assert.Null(process.Pid);
        await emulator.EndAsync(folder, Cancellation);
    }

    [Fact]
    public async Task A_path_that_it_cannot_be_told_is_refused()
    {
        var emulator = Program("exit 0", "exit 0");
        var error = await Assert.ThrowsAsync<CoppiceException>(() => emulator.MakeAsync(new TpmState($"{_root}/a,b"), Cancellation));
        Assert.Contains("comma", error.Problem, StringComparison.Ordinal);
        Assert.False(Directory.Exists($"{_root}/a,b"));
    }

    [Fact]
    public void What_a_TPM_keeps_is_required_to_be_there_and_not_empty()
    {
        var state = new TpmState($"{_root}/state");
        Assert.Equal(ErrorKind.NotFound, Assert.Throws<CoppiceException>(state.Require).Kind);
        Directory.CreateDirectory(state.Path);
        File.WriteAllText($"{state.Path}/{TpmState.FileName}", "");
        Assert.Equal(ErrorKind.NotFound, Assert.Throws<CoppiceException>(state.Require).Kind);
        File.WriteAllText($"{state.Path}/{TpmState.FileName}", "keys");
        state.Require();
    }

    private async Task<(TpmEmulator Emulator, RunFolder Folder)> StartAsync(string script)
    {
        var folder = new RunFolder($"{_root}/run");
        Directory.CreateDirectory(folder.Path);
        var state = new TpmState($"{_root}/state");
        await state.WriteAsync("keys"u8.ToArray(), Cancellation);
        var emulator = Program(script, "exit 0");
        await emulator.StartAsync(state, folder, Cancellation);
        return (emulator, folder);
    }

    private TpmEmulator Program(string script, string maker)
    {
        foreach (var (name, text) in ((string, string)[])[("swtpm", script), ("swtpm_setup", maker)])
        {
            File.WriteAllText($"{_root}/{name}", $"#!/bin/sh\n{text}\n");
            File.SetUnixFileMode($"{_root}/{name}", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        return new TpmEmulator($"{_root}/swtpm", TimeProvider.System);
    }
}
