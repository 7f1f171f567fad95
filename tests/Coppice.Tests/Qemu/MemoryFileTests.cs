using Coppice.Core;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Steps;

namespace Coppice.Tests.Qemu;

/// <summary>What an operation that was killed leaves of a memory file, and what becomes of it.</summary>
public sealed class MemoryFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cm-").FullName;

    private string FilePath => $"{_folder}/a.mem";

    private string Partial => $"{FilePath}.0badcafe.partial";

    private RunFolder Run => RunFolder.Of(new HomeFolder(_folder), new ShortId("00000001"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_partial_file_goes_also_if_the_run_folder_is_gone()
    {
        File.WriteAllText(Partial, "half");
        Undo();
        Undo();
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void A_finished_file_goes_with_the_note_that_it_is_ours_and_stays_without_one()
    {
        File.WriteAllText(FilePath, "somebody's");
        Undo();
        Assert.Equal("somebody's", File.ReadAllText(FilePath));

        Directory.CreateDirectory(Run.Path);
        File.WriteAllText(Run.Finished(new ShortId("0badcafe")), FilePath);
        Undo();
        Undo();
        Assert.False(File.Exists(FilePath));
        Assert.Empty(Directory.GetFiles(Run.Path));
    }

    [Fact]
    public void A_file_that_took_the_name_before_the_partial_one_could_have_it_stays()
    {
        Directory.CreateDirectory(Run.Path);
        File.WriteAllText(Run.Finished(new ShortId("0badcafe")), FilePath);
        File.WriteAllText(FilePath, "somebody's");
        File.WriteAllText(Partial, "ours");
        Undo();
        Undo();
        Assert.Equal("somebody's", File.ReadAllText(FilePath));
        Assert.False(File.Exists(Partial));
    }

    private void Undo() => MemoryFile.Remove(
        new MemoryImage { Mode = MemoryMode.External, File = FilePath },
        Run,
        new StepContext(new HomeFolder(_folder).Domain(new DomainId(Guid.Empty)), new ShortId("0badcafe"), new Progress<StepProgress>()));
}
