// Everything is there: begin.

startTable();
startDialog();
startPrint();
